"""The rules of a training: 2 where a text holds what the tokenizer puts around it, which then was read twice.

Also where a student's configuration said of its blocks what their places made of them.
"""

from collections.abc import Sequence
from pathlib import Path

from lineal.engines.architecture.depth import block_count, rules_of_stack
from lineal.engines.inference.text_borders import holds_borders, possible_borders
from lineal.engines.merge.child_package import own_rules
from lineal.engines.text.documents import read_documents
from lineal.family.build.weights import own_weights
from lineal.family.session import Inputs, LocalModel
from lineal.methods.distill.distill import Distill
from lineal.methods.finetune.full import FullFineTune
from lineal.methods.method import Method


def training_rules(method: Method, inputs: Inputs, data: Sequence[Path]) -> int:
    parents = [local for role, local in inputs if role != "teacher"]
    written = [own_rules(own_weights(local)) for local in parents if isinstance(method, FullFineTune | Distill)]
    return max(_rules_of_data(method, inputs, data), *written, 1)


def _rules_of_data(method: Method, inputs: Inputs, data: Sequence[Path]) -> int:
    """The data is read only where the tokenizer may add something at all."""
    parent = next((local for role, local in inputs if role != "teacher"), None)
    if parent is None:
        return 1
    if isinstance(method, Distill) and _rules_of_cut(method, parent) > 1:
        return 2
    borders = possible_borders(parent.path, parent.base.path if parent.base else None)
    if not borders:
        return 1
    return 2 if any(holds_borders(text, borders) for path in data for text in read_documents(path)) else 1


def _rules_of_cut(method: Distill, parent: LocalModel) -> int:
    full = parent.base or parent
    if method.layers is None:
        return 1
    config = full.config
    kept = method.kept_blocks(block_count(config, parent.label))
    return rules_of_stack(config, [(config, kept)], parent.label)
