"""Training weights on text: from scratch, all of them, or a low-rank update."""

METHODS = {  # name: module and class, loaded when it is asked for
    "full": "full:FullFineTune",
    "lora": "lora:Lora",
}
ORIGINALS = {
    "train": "scratch:Scratch",
}
