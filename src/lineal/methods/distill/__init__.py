"""Losses that teach a student from teachers. They work on torch tensors and import no torch themselves."""

METHODS = {  # name: module and class, loaded when it is asked for
    "distill": "distill:Distill",
}
