"""A merge that is not the same everywhere: parts made of blocks of models, and options that vary by tensor."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, ClassVar, TypeAlias, cast, final

from pydantic import ConfigDict

from lineal.derivation.canonical import Json, exact
from lineal.errors import MethodError
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method, Reproducibility, nearest
from lineal.methods.recipe.settings import Settings, Value, look_up
from lineal.methods.recipe.vocabulary import Vocabulary
from lineal.methods.streaming import StreamingMethod
from lineal.shown import quoted

Blocks: TypeAlias = tuple[int, int]
"""From a block, counted from zero, up to another that is not included."""

DTYPES = ("F32", "BF16", "F16")
AUTO = "auto"
"""In place of a chat template: the one that most models have."""
PUBLISHED = "published"
"""The layout in which an architecture is published: names and shapes of its tensors."""
_LATER: Mapping[str, Json] = {"method_version": 1, "vocabulary": None, "chat_template": None, "layout": None}
"""Options that a recipe does not record while they are this: it has the same id as before there were any."""


def _settings() -> Settings:
    return {}


@final
@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What one model gives to a part: some of its blocks, or where `blocks` is None the model as it is.

    model: its place among the inputs of the step, from 0; options: for this model here, before all others.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    model: int
    blocks: Blocks | None = None
    options: Settings = field(default_factory=_settings)

    def __post_init__(self) -> None:
        if self.blocks is not None and not 0 <= self.blocks[0] < self.blocks[1]:
            raise MethodError(f"recipe: {list(self.blocks)} is not a range of blocks: FIRST up to LAST, not included")

    @property
    def count(self) -> int | None:
        return None if self.blocks is None else self.blocks[1] - self.blocks[0]


@final
@dataclass(frozen=True, kw_only=True)
class Part:
    """A run of blocks of the child, merged from as many blocks of each model; the base's, where the method has one."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    models: tuple[Stretch, ...]
    base: Stretch | None = None
    options: Settings = field(default_factory=_settings)

    def __post_init__(self) -> None:
        if len({stretch.count for stretch in self.stretches}) > 1:
            counts = ", ".join(str(stretch.count) for stretch in self.stretches)
            raise MethodError(f"recipe: a part takes as many blocks of every model, got {counts}")

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The base first, where there is one."""
        return (*([self.base] if self.base else []), *self.models)

    @property
    def count(self) -> int | None:
        """How many blocks; None for a model as it is."""
        return self.stretches[0].count


@final
@dataclass(frozen=True, kw_only=True)
class MergeRecipe(Method):
    """One method over parts, each tensor with the options that hold for it.

    An option is looked up for a model in a part, then for the part, then for all. What lies outside the blocks is
    merged as the first part's beginning, if it comes before them, or with the last part's options at their beginning.

    method: the merge method; method_version: its version, without which a record is of the first; options: its options,
    by tensor; parts: from the first block to the last;
    dtype: F32, BF16 or F16 for all floating-point tensors, else each keeps that of the first model, or of the base.
    vocabulary: the tokens of the child, where its models may have different ones; chat_template: a Jinja template, or
    `auto` for the one that most models have; without them tokenizer and template are the donor's.
    layout: names and shapes of the child's tensors: `published`, another layout that is known of its architecture, such
    as `fused`, or the place of the model whose layout it is; without it that of the donor.
    """

    kind: ClassVar = "merge"
    name: ClassVar = "recipe"
    paper: ClassVar = "https://github.com/arcee-ai/mergekit/blob/main/README.md#merge-configuration"
    reproducibility: ClassVar = Reproducibility.EXACT

    method: str
    parts: tuple[Part, ...]
    method_version: int = 1
    options_: Settings = field(default_factory=_settings)
    dtype: str | None = None
    vocabulary: Vocabulary | None = None
    chat_template: str | None = None
    layout: str | int | None = None

    def __post_init__(self) -> None:
        if not self.parts:
            raise MethodError("recipe: at least one part is needed")
        if len(self.parts) > 1 and any(part.count is None for part in self.parts):
            raise MethodError("recipe: of several parts each needs a range of blocks")
        if self.dtype not in (None, *DTYPES):
            raise MethodError(f"recipe: dtype must be one of {', '.join(DTYPES)}, got {quoted(self.dtype)}")
        self._check_options()
        for part in self.parts:
            if self.merging.uses_base and part.base is None and not self.merging.base_is_optional:
                raise MethodError(f"{self.method}: a base is needed, task vectors are differences from it")
            if part.base is not None and not self.merging.uses_base:
                raise MethodError(f"{self.method}: takes no base; list it among the models")

    def _check_options(self) -> None:
        known, by_model = self.merging.option_names(), self.merging.options_by_model()
        for option in dict.fromkeys(option for settings in self.mentioned() for option in settings):
            if option not in known:
                raise MethodError(f"{self.method}: unknown option {quoted(option)} ({nearest(option, known)})")
        for part in self.parts:
            for option in dict.fromkeys(option for model in part.models for option in model.options):
                if option not in by_model and len(part.models) > 1:
                    raise MethodError(f"{self.method}: {option} is for all models, and is given for one of them")

    @property
    def merging(self) -> type[StreamingMethod]:
        """The class of the method."""
        return _merging(self.method, self.method_version)

    @property
    def origin(self) -> type[Method]:
        return self.merging

    def options(self) -> dict[str, Json]:
        recorded = cast(dict[str, Any], exact(asdict(self)))
        given = {key: value for key, value in recorded.items() if key not in _LATER or value != _LATER[key]}
        return {key.rstrip("_"): value for key, value in given.items()}

    @property
    def several(self) -> bool:
        """Whether blocks move: the child's may have other numbers than their models'."""
        return self.parts[0].count is not None

    def check_inputs(self, count: int) -> None:
        """Refuse a place that no input has, with a MethodError: a record may say anything."""
        named = {stretch.model for part in self.parts for stretch in part.stretches}
        if self.vocabulary is not None:
            named |= self.vocabulary.places
        if isinstance(self.layout, int):
            named.add(self.layout)
        if not named <= set(range(count)):
            raise MethodError(f"recipe: of {count} inputs it names {', '.join(map(str, sorted(named)))}, from 0")

    def method_at(self, part: Part, name: str, place: float) -> StreamingMethod:
        """The method with the options for one tensor.

        name: in the part's first model, or its base; place: of its block in the part, from 0 for the first to 1.
        """
        options: dict[str, Value | tuple[Value, ...]] = {}
        common = (part.options, self.options_)
        for option in self.merging.option_names():
            if option in self.merging.options_by_model():
                found = [look_up(option, (model.options, *common), name, place) for model in part.models]
                given = tuple(value for value in found if value is not None)
                if given and len(given) < len(found):
                    raise MethodError(f"{self.method}: {option} is given for some models and not for others")
                value = given or None
            else:
                alone = [part.models[0].options] if len(part.models) == 1 else []
                value = look_up(option, (*alone, *common), name, place)
            if value is not None:
                options[option] = value
        method = _made(self.merging, tuple(options.items()))
        method.check_models(len(part.models))
        return method

    def mentioned(self) -> Iterator[Settings]:
        """Every level of settings there is."""
        yield self.options_
        for part in self.parts:
            yield part.options
            yield from (stretch.options for stretch in part.stretches)


@cache
def _made(method: type[StreamingMethod], options: tuple[tuple[str, Any], ...]) -> StreamingMethod:
    return method.from_options(dict(options))


def _merging(name: str, version: int) -> type[StreamingMethod]:
    if name == MergeRecipe.name:
        raise MethodError(f"recipe: {quoted(name)} is itself a recipe")
    found = find_method("merge", name, version)
    if not issubclass(found, StreamingMethod):
        raise MethodError(f"recipe: {quoted(name)} is not computed in the streaming engine")
    return found
