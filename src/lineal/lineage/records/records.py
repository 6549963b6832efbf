"""What goes into the registry and comes out of it: frozen records of models, steps, evaluations, names and versions."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import Literal, Protocol, final

from lineal.checkpoint.content.identity import Leaf, Manifest, layout_hash
from lineal.checkpoint.licence.stated import StatedLicence
from lineal.derivation.canonical import Json
from lineal.derivation.hashes import check_hash
from lineal.derivation.step import Step
from lineal.errors import UsageError
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.rounding import Rounding
from lineal.lineage.records.semantic_version import SemanticVersion
from lineal.lineage.records.stages import STAGES, Stage
from lineal.shown import quoted

Form = Literal["full", "adapter", "gguf"]

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
METRIC = re.compile(r"[!-<>-~]+")


@final
@dataclass(frozen=True)
class ModelRecord:
    """A model whose bytes were hashed: what it is made of. licence: the hash of its texts; stated: what it is.

    published: its tensors as its architecture is published; None where that is not known. counted: the numbers of the
    weights that its tensors stand for; None where that is as many as they hold.
    """

    manifest: Manifest
    form: Form = "full"
    licence: str | None = None
    stated: StatedLicence | None = None
    published: tuple[Leaf, ...] | None = None
    counted: int | None = None

    def __post_init__(self) -> None:
        _require_sorted(self.manifest.leaves)
        if self.published is not None and self.published is not self.manifest.leaves:
            _require_sorted(self.published)

    @property
    def parameters(self) -> int:
        return self.manifest.elements if self.counted is None else self.counted

    @property
    def layout_hash(self) -> bytes | None:
        return self._layout_hash

    @cached_property
    def _layout_hash(self) -> bytes | None:
        return None if self.published is None else layout_hash(self.manifest, self.published)

    @property
    def weights_hash(self) -> bytes:
        return self.manifest.weights_hash

    @property
    def not_as_stored(self) -> tuple[Leaf, ...]:
        """Its published tensors, where they are not those that are stored."""
        return () if self.published is None or self.published == self.manifest.leaves else self.published


def _require_sorted(leaves: Iterable[Leaf]) -> None:
    names = [leaf.name.encode() for leaf in leaves]
    for before, after in pairwise(names):
        if before >= after:
            raise UsageError(f"a manifest names each tensor once, sorted: {quoted(after)} follows {quoted(before)}")


@final
@dataclass(frozen=True)
class KnownModel:
    """What the registry knows of a model; of an unresolved one, only that others were made from it.

    layout_hash: None where the layouts of its architecture are not known, or were not when it was hashed.
    """

    model_hash: bytes
    weights_hash: bytes | None
    form: Form | None
    parameters: int | None
    tensor_bytes: int | None
    licence: str | None
    layout_hash: bytes | None = None

    @property
    def is_unresolved(self) -> bool:
        return self.weights_hash is None


class Weights(Protocol):
    """Whatever tells of weights by their hashes, as far as they are known."""

    @property
    def weights_hash(self) -> bytes | None: ...

    @property
    def layout_hash(self) -> bytes | None: ...


def another_layout(one: Weights, other: Weights) -> bool:
    """Whether one holds the weights of the other, stored otherwise."""
    same = one.layout_hash is not None and one.layout_hash == other.layout_hash
    return same and one.weights_hash != other.weights_hash


@final
@dataclass(frozen=True)
class Inference:
    """How a step was inferred from weights, and how sure that is.

    score: the share of the weights' squares that the step explains; p_value: the chance that unrelated weights would
    look related; reason: what was found, as a clause.
    """

    method: str
    score: float
    p_value: float
    reason: str

    def __post_init__(self) -> None:
        for name, number in (("score", self.score), ("p_value", self.p_value)):
            if not 0 <= number <= 1:
                raise UsageError(f"inference: {name} must be in [0, 1], got {number}")

    def to_json(self) -> dict[str, Json]:
        return {"method": self.method, "score": self.score, "p_value": self.p_value, "reason": self.reason}


@final
@dataclass(frozen=True)
class StepRecord:
    """One step as it happened: what was done, what came out, where, how long, and how well it is attested.

    created: seconds since 1970. reproduces: the child was there before, so the step is no edge of the graph (the
    registry finds that out; said beforehand, it is kept). share: of a replay, the part of the tensors recomputed.
    inference: of a step that was once inferred, by what. rounding: of a quantization, what it cost each tensor; it is
    no part of what is read back with a step.
    """

    step: Step
    child: bytes
    evidence: Evidence
    environment: Mapping[str, Json]
    seconds: float
    created: float
    reproduces: bool = False
    share: float | None = None
    inference: Inference | None = None
    rounding: Mapping[str, Rounding] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _ = check_hash(self.child)


@final
class Outcome(Enum):
    NEW = "new"
    KNOWN = "known"
    """This very step with this very child stands there already."""
    REPRODUCES = "reproduces"
    """The child is one of the step's own inputs or their ancestor: kept, but no edge."""
    IRREPRODUCIBLE = "irreproducible"
    """A derivation that gave another child before: both are kept. Only an exact method is at fault."""


@final
@dataclass(frozen=True)
class Recording:
    """What became of a recorded step, and which other children the same derivation has."""

    outcome: Outcome
    other_children: tuple[bytes, ...] = ()


@final
@dataclass(frozen=True)
class Evaluation:
    """What a model scored on a text; with a reference model, how far it is from that one (kl, nats a token).

    settings: everything that the figures depend on besides model and text, such as the context length.
    """

    model: bytes
    text: str
    data_hash: bytes
    settings: Mapping[str, Json] = field(default_factory=dict[str, Json])
    reference: bytes | None = None
    perplexity: float | None = None
    bits_per_byte: float | None = None
    kl: float | None = None
    tokens: int = 0
    text_bytes: int = 0

    def __post_init__(self) -> None:
        for digest in (self.model, self.data_hash, *([self.reference] if self.reference is not None else [])):
            _ = check_hash(digest)
        for metric in ("perplexity", "bits_per_byte", "kl"):
            figure: float | None = getattr(self, metric)
            if figure is not None and not math.isfinite(figure):
                raise UsageError(f"evaluation on {self.text}: {metric} is {figure}, a figure must be finite")
        if (self.kl is None) != (self.reference is None):
            raise UsageError(f"evaluation on {self.text}: a KL divergence and its reference model go together")


@final
@dataclass(frozen=True)
class Name:
    """`FAMILY:NAME`, and the model it stands for."""

    family: str
    name: str
    model_hash: bytes

    def __str__(self) -> str:
        return f"{self.family}:{self.name}"


@final
@dataclass(frozen=True)
class ModelVersion:
    """A version of the name `FAMILY:NAME`: one model for good, in a stage.

    quality_score: 0 to 100, as its owner judges; metrics: finite figures by name; created: seconds since 1970.
    """

    family: str
    name: str
    version: SemanticVersion
    model_hash: bytes
    stage: Stage = Stage.DEVELOPMENT
    tags: tuple[str, ...] = ()
    quality_score: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    created: float = 0.0

    def __post_init__(self) -> None:
        for tag in self.tags:
            if not _TAG.fullmatch(tag) or tag in STAGES:
                raise UsageError(
                    f"{self}: {quoted(tag)} is not a tag: a letter, then letters, digits, '.', "
                    "'_' and '-', and no stage's name"
                )
        if self.quality_score is not None and not 0 <= self.quality_score <= 100:
            raise UsageError(f"{self}: a quality score is 0 to 100, got {self.quality_score}")
        for metric, figure in self.metrics.items():
            if not METRIC.fullmatch(metric):
                raise UsageError(
                    f"{self}: {quoted(metric)} is not a metric's name: visible ASCII characters without '='"
                )
            if not math.isfinite(figure):
                raise UsageError(f"{self}: {metric} is {figure}, a metric must be finite")

    def __str__(self) -> str:
        return f"{self.family}:{self.name}@{self.version}"
