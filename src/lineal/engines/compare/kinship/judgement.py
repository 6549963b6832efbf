"""From what was measured to what it means: how weights of unknown origin came from one known model, if they did."""

import math
from dataclasses import dataclass, field, replace
from enum import Enum
from statistics import mode
from typing import final

from lineal.checkpoint.headers.storage import BLOCKS
from lineal.derivation.canonical import Json
from lineal.derivation.quantization import QuantizationType
from lineal.derivation.step import Kind
from lineal.engines.compare.kinship.contrast import MOST, Contrast
from lineal.engines.compare.kinship.independence import ALPHA, combined
from lineal.engines.compare.kinship.ranks import SMALL

UNKNOWN = "inferred"
"""The method of a step whose kind is all that weights tell."""

_SOME = 0.01
"""Share of entries set to zero from which weights count as pruned."""

_HEALED = 0.5
"""Of the change's squares, at most so much may stand outside the zeros: else it was trained more than pruned."""

_SCHEMES = {"F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}
"""What a dtype is called as a quantization; others by their own name."""

_TOLD = 8
"""Standard errors between a parent and a child from which the direction of a change can be told."""


@final
class Relation(Enum):
    """What a known model is to weights of unknown origin, the most telling first."""

    PARENT = "parent"
    SIBLING = "sibling or parent"
    """Of one origin, but the weights say that each went its own way, or do not say which came first."""
    CHILD = "child"
    """It was made from these weights, or from others like them."""
    STRANGER = "unrelated"

    @property
    def is_kin(self) -> bool:
        return self is not Relation.STRANGER


@final
@dataclass(frozen=True)
class Facts:
    """What hashes and headers tell of the pair beside the contrast.

    tensors: of the unknown model; equal: those with the same bytes in the known one, renamed: of these, under another
    name; missing: the known model's that are not in the unknown one; grown: tensors with more rows than the known
    model's; dtype: of most of the unknown model's matrices; another_layout: all weights are the same, stored otherwise;
    codes: the type that the unknown model's weights are quantized to, where its config says so and the known model's
    does not.
    """

    tensors: int
    equal: int
    renamed: int
    missing: int
    grown: int
    dtype: str
    another_layout: bool = False
    codes: str = ""


@final
@dataclass(frozen=True)
class Finding:
    """One known model, judged. unexplained: the share of the squares of the weights that the step leaves over."""

    relation: Relation
    kind: Kind
    method: str
    options: dict[str, Json] = field(default_factory=dict[str, Json])
    unexplained: float = 1.0
    p_value: float = 1.0
    sentence: str = ""

    @property
    def score(self) -> float:
        return max(0.0, 1.0 - self.unexplained)


def judge(contrast: Contrast, facts: Facts, questions: int) -> Finding:
    """questions: how many pairs of models were compared, so that none agrees by chance."""
    p = combined(contrast.agreements, questions)
    if p >= ALPHA and not (facts.equal and contrast.equal == contrast.elements > 0):
        sentence = f"its weights agree with these no more than chance has it (p = {p:.2g})"
        return Finding(Relation.STRANGER, "original", UNKNOWN, p_value=p, sentence=sentence)
    for told in (_copied, _child, _coded, _rounded, _pruned, _quantized):
        found = told(contrast, facts)
        if found is not None:
            break
    else:
        found = _trained(contrast, facts)
    return replace(found, p_value=p)


def with_ranks(finding: Finding, ranks: list[tuple[int, int]]) -> Finding:
    """A fine-tune of which the changed matrices' ranks and smaller sides are known: low ones mean a merged LoRA."""
    largest = max((rank for rank, _ in ranks), default=0)
    if finding.kind != "fine-tune" or not ranks or any(SMALL * rank > side for rank, side in ranks):
        return finding
    sentence = f"{finding.sentence}; {len(ranks)} matrices differ by rank {largest} at most: a LoRA merged into it"
    return replace(finding, options={"rank": largest}, sentence=sentence)


def _copied(_contrast: Contrast, facts: Facts) -> Finding | None:
    """Tensors passed through as they are."""
    if facts.equal < facts.tensors:
        return None
    told = [f"all {facts.tensors} tensors are its own, byte for byte"]
    told += ["the same weights in another layout"] if facts.another_layout else []
    told += [f"{facts.renamed} under other names"] if facts.renamed else []
    told += [f"{facts.missing} of its tensors left out"] if facts.missing else []
    return Finding(Relation.PARENT, "merge", "passthrough", {}, 0.0, sentence=", ".join(told))


def _child(contrast: Contrast, _facts: Facts) -> Finding | None:
    """The known model was cast, pruned or quantized from these weights: what that loses does not come back."""
    elements = max(1, contrast.elements)
    how = None
    if contrast.retyped and contrast.rounded_back >= MOST * elements > contrast.rounded:
        how = "it is these weights, rounded"
    elif contrast.zeroed_back >= _SOME * elements and contrast.zeroed_back > 2 * contrast.zeroed:
        if contrast.kept_squares_back <= _HEALED * contrast.change_squares:
            how = f"it is these weights with {contrast.zeroed_back / elements:.0%} set to zero"
    elif 2 * (contrast.on_grid_back - contrast.refuted_back) >= elements > 2 * contrast.on_grid:
        how = "it lies on the grid of a quantization, these weights do not"
    if how is None:
        return None
    return Finding(Relation.CHILD, "original", UNKNOWN, {}, _left(contrast), sentence=how)


def _coded(contrast: Contrast, facts: Facts) -> Finding | None:
    """A child whose weights are stored as codes, which no training leaves."""
    if not facts.codes:
        return None
    sentence = f"stored as {facts.codes}; within {contrast.relative:.1%} of its norm"
    return Finding(Relation.PARENT, "quantize", UNKNOWN, {"scheme": facts.codes}, _left(contrast), sentence=sentence)


def _rounded(contrast: Contrast, facts: Facts) -> Finding | None:
    """A child that is its parent in another dtype, or in a GGUF's blocks, which the header alone tells."""
    scheme = _SCHEMES.get(facts.dtype, facts.dtype.lower())
    if not contrast.retyped or scheme not in {kind.value for kind in QuantizationType}:
        return None
    if contrast.rounded >= MOST * contrast.elements:
        sentence = f"its values rounded to {scheme}, entry for entry"
        return Finding(Relation.PARENT, "quantize", UNKNOWN, {"scheme": scheme}, 0.0, sentence=sentence)
    if facts.dtype in BLOCKS:
        sentence = f"stored as {scheme}; within {contrast.relative:.1%} of its norm"
        return Finding(Relation.PARENT, "quantize", UNKNOWN, {"scheme": scheme}, _left(contrast), sentence=sentence)
    return None


def _pruned(contrast: Contrast, _facts: Facts) -> Finding | None:
    zeros = contrast.zeroed / max(1, contrast.elements)
    if zeros < _SOME or contrast.zeroed_back > contrast.zeroed / 2:
        return None
    if contrast.kept_squares > _HEALED * contrast.change_squares:
        return None
    rest = "all others equal" if not contrast.kept_squares else "the others trained further"
    left = contrast.kept_squares / (contrast.child_squares or 1.0)
    sentence = f"{zeros:.1%} of its entries are zero here, {rest}: pruned"
    return Finding(Relation.PARENT, "prune", UNKNOWN, {"sparsity": round(zeros, 4)}, left, sentence=sentence)


def _quantized(contrast: Contrast, _facts: Facts) -> Finding | None:
    """Stored as floats, on the grid of integers or small floats."""
    if (
        not contrast.schemes
        or 2 * contrast.on_grid < contrast.elements
        or 2 * contrast.on_grid_back > contrast.elements
    ):
        return None
    scheme, near = mode(contrast.schemes), contrast.near_grid / contrast.on_grid
    how = "each entry on its nearest level" if near >= MOST else f"{near:.0%} of the entries on their nearest level"
    left = 0.0 if near >= MOST else _left(contrast)
    sentence = f"these weights lie on the grid of {scheme}, {how}"
    return Finding(Relation.PARENT, "quantize", UNKNOWN, {"scheme": scheme}, left, sentence=sentence)


def _trained(contrast: Contrast, facts: Facts) -> Finding:
    """A change of any kind. A parent's change leans on nothing of the parent: <c - p, p> is 0, in units of |c - p|^2.

    Of two siblings that went as far it is -1/2, of a child in the parent's place -1. Trained weights grow, which adds.
    """
    parts = [f"{facts.equal} of {facts.tensors} tensors equal"] if facts.equal else []
    parts += [f"{facts.grown} with more rows"] if facts.grown else []
    parts.append(
        f"the matrices differ by {contrast.relative:.2g} of its norm"
        if contrast.change_squares
        else "no matrix differs"
    )
    lean = (contrast.products - contrast.known_squares) / contrast.change_squares if contrast.change_squares else 0.0
    told = contrast.relative * math.sqrt(contrast.elements) >= _TOLD
    relation = Relation.SIBLING if told and lean < -0.25 else Relation.PARENT
    sentence = ", ".join(parts)
    if relation is Relation.SIBLING:
        seems = "it is probably the later one" if lean < -0.75 else "each has weights of its own"
        sentence = f"{sentence}; {seems}"
    return Finding(relation, "fine-tune", UNKNOWN, {}, _left(contrast), sentence=sentence)


def _left(contrast: Contrast) -> float:
    return contrast.change_squares / contrast.child_squares if contrast.child_squares else 1.0
