"""The verbs, in the order in which a newcomer meets them; each is loaded when it is asked for.

What stands behind a verb is the first line of what it says itself, so that the list of them loads none.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, final

import typer

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Derive": {
        "init": "Write a family file that names the models in a folder, with an example of each derivation to fill in.",
        "run": "Build what is missing of a family of models; what exists is kept, what was killed continues.",
        "merge": "Merge models (names, paths or b3: hashes) into one ordinary folder, or run a recipe of mergekit's.",
        "prune": "Set the share --sparsity of a model's weights (a name, path or b3: hash) to zero; its size stays the same.",
        "quantize": "Write a model (a name, path or b3: hash) in fewer bits: as GGUF, or packed as vLLM and transformers read it.",
        "finetune": "Fine-tune a model (a name, path or b3: hash) on text; the same call after a kill continues.",
        "distill": "Distill teachers (names, paths or b3: hashes) into a student; the same call after a kill continues.",
        "methods": "List the methods with their options, defaults and papers.",
        "help": "Show what lineal can do, or how one of its verbs is used.",
    },
    "Try": {
        "eval": "Perplexity, bits per byte, and KL divergence from the base or the parents; known figures are not recomputed.",
        "generate": "Continue a prompt with a model; the text comes as it is made.",
        "imatrix": "Measure on a text which columns of a model's matrices matter: an importance matrix, as llama.cpp has it.",
    },
    "Name": {
        "add": "Hash model folders and remember them; a lineal.json beside the weights brings its step along.",
        "import": "Keep what the files beside models claim of their origin, as claimed steps: said by someone, checked by no one.",
        "list": "List the models that have a name: their sizes and the places where they lie.",
        "rm": "Forget a name; with --weights also delete what it stands for, where lineal made it.",
        "tag": "Give a model a version, for good, or add tags, a score and metrics to one that it has.",
        "promote": "Move a version of a model one stage on or back.",
        "policy": "Show what versions must meet to go on to a stage, or set it for a name or a whole family.",
    },
    "Ask": {
        "log": "Show the family tree: who was made from whom, how, how big it is, what it scores and how well that is attested.",
        "show": "Show one model: what it is, how it was made from what, where it lies and what it scores.",
        "why": "Say how a model came about: a sentence for each step that led to it, from the roots down.",
        "diff": "Compare two models by the hashes of their tensors and files; with --weights also by what they hold.",
        "blame": "Say which ancestor introduced the bytes that the tensors of a model have, whatever they are called there.",
        "find": "Hash a model or a data file on disk: the known models that it is, shares tensors with or went into.",
        "adopt": "Rank the known models that weights of unknown origin may come from, and keep the likeliest step as inferred.",
        "licence": "Show the licence that binds a model, joined over everything it was made from, or state one.",
        "bisect": "Find the first bad model among those that a bad one goes back to: half of the suspects fall with every trial.",
    },
    "Walk": {
        "ancestors": "List everything that went into a model, nearest first.",
        "descendants": "List everything that a model or a data file went into, nearest first.",
        "common": "List the models that two models both go back to; a model goes back to itself.",
        "path": "List a shortest way from an ancestor down to a model, both included; the evidence is its weakest step's.",
        "roots": "List the models that were made from no other: all of them, or those that one goes back to.",
        "leaves": "List the models that no other was made from: all of them, or those that one led to.",
    },
    "Trust": {
        "verify": "Hash every byte again and recompute every exact derivation; remembered hashes are not trusted.",
        "taint": "Taint a model, or a data file, and with it everything that was or will be made from it.",
        "tainted": "Say what taints models: their own taints, and those of everything that they go back to.",
        "clear": "Take back what taints this very model or data file; taints of what it was made from stand.",
        "journal": "List every change of a name, a version or a stage; each entry is bound to those before it by a hash.",
        "check": "Hash every record again, verify signatures, follow the journal from the beginning; no weights are read.",
        "prove": "Print a proof that a tensor belongs to a model: a kilobyte that takes no other tensor to check.",
        "check-proof": "Add a proof up and say which tensor of which model it proves; neither registry nor model is needed.",
        "sign": "Sign a model and the step that made it, as in-toto statements that anyone can check.",
        "verify-signature": "Say of each signature of a model whether a key that you trust has made it.",
    },
}

_DERIVING = ("merge", "prune", "quantize", "finetune", "distill")
_MODULES = {"eval": "evaluate", "import": "import_", "help": "help_", "list": "list_"}
"""Of verbs that are also words of Python's."""


@final
class Verbs(Mapping[str, Any]):
    """typer's commands by name."""

    def __init__(self) -> None:
        self._names = [name for verbs in SECTIONS.values() for name in verbs]
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _command(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _command(name: str) -> Any:
    called = _MODULES.get(name, name.replace("-", "_"))
    module: ModuleType = import_module(f"lineal.cli.{called}")
    given: dict[str, Any] = {"epilog": module.EXAMPLES}
    if name in _DERIVING:
        from lineal.cli.deriving import SETTINGS, Deriving

        given |= {"cls": Deriving, "context_settings": SETTINGS}
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    _ = alone.command(name, **given)(getattr(module, called))
    return typer.main.get_command(alone)
