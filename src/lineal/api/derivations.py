"""The derivations: each makes one model, records the step, and returns the model; a repeat finds it made."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, final

from lineal.api.model import Model, ModelLike, reference_of
from lineal.api.opened import RegistryPlace, opened
from lineal.api.uses import texts_by_name
from lineal.checkpoint.inside import resolved
from lineal.derivation.step import Kind
from lineal.errors import UsageError
from lineal.family.build.examination import Examination
from lineal.family.build.one_off import derive, family_of_one, family_of_recipe, overridden
from lineal.family.build.plan import PlannedModel, plan_family
from lineal.family.file.layout import in_layout
from lineal.family.file.recipe import Family, Reference
from lineal.family.progress import Progress
from lineal.family.session import Session
from lineal.methods.catalogue import find_method
from lineal.methods.method import Method


@final
@dataclass(frozen=True)
class Derivation:
    """One model that is wanted, before anything is opened: to be made, or only planned."""

    out: Path
    family: Callable[[Session], Family]
    licence: str | None = None
    examination: Examination = field(default_factory=lambda: Examination({}))

    def make(
        self, registry: RegistryPlace = None, threads: int | None = None, progress: Progress | None = None
    ) -> Model:
        """Make the model, unless it lies there already; what a kill left is continued."""
        with opened(registry, threads, progress) as session:
            family = self.examination.before(overridden(self.family(session), self.out, self.licence))
            local = derive(session, family, self.out)
            self.examination.after(session, local)
            return Model(local, registry)

    def plan(
        self, registry: RegistryPlace = None, threads: int | None = None, progress: Progress | None = None
    ) -> list[PlannedModel]:
        """What making it would take; nothing is written."""
        with opened(registry, threads, progress, keeps=False) as session:
            family = self.examination.before(overridden(self.family(session), self.out, self.licence))
            return plan_family(session, family, resolved(self.out).parent)


def derivation(
    kind: Kind,
    method: Method,
    inputs: Sequence[Reference],
    out: str | Path,
    *,
    data: Sequence[str | Path] = (),
    allow_nonfinite: bool = False,
    layout: str | None = None,
    licence: str | None = None,
) -> Derivation:
    """A derivation by one method of models in their roles; layout: of a merge's child, where it is not the first's."""
    place, texts = Path(out), [Path(path) for path in data]
    method = method if layout is None else in_layout(method, inputs, layout)
    return Derivation(
        place,
        lambda _: family_of_one(kind, method, inputs, place, data=texts, allow_nonfinite=allow_nonfinite),
        licence,
    )


def examined(wanted: Derivation, texts: Iterable[str | Path], max_kl: float | None) -> Derivation:
    """The derivation, whose model is compared with its parent on texts; max_kl: nats a token that it may be away."""
    return replace(wanted, examination=Examination(texts_by_name(map(Path, texts)), max_kl))


def recipe(
    file: str | Path, out: str | Path, *, allow_nonfinite: bool = False, licence: str | None = None
) -> Derivation:
    """What a recipe of mergekit's describes."""
    place = Path(out)
    return Derivation(
        place,
        lambda session: family_of_recipe(session, Path(file), place, allow_nonfinite=allow_nonfinite),
        licence,
    )


def method_of(kind: Kind, method: str | Method, options: Mapping[str, Any]) -> Method:
    """A method as it is, or by its name with its options."""
    if isinstance(method, Method):
        return method if not options else method.from_options({**method.options(), **options})
    return find_method(kind, method).from_options(dict(options))


def inputs_of_merge(models: Iterable[ModelLike], base: ModelLike | None) -> list[Reference]:
    """The base first, where there is one; the same for what derives from one model."""
    first = [] if base is None else [Reference("base", reference_of(base))]
    return [*first, *(Reference("parent", reference_of(model)) for model in models)]


def data_of_quantization(method: Method, imatrix: str | Path | None, texts: Sequence[str | Path]) -> list[str | Path]:
    """The data files of a quantization. Raises: UsageError: a file that the method has no use for."""
    if imatrix is not None and method.name != "gguf":
        raise UsageError(f"{method.name}: an importance matrix is for GGUF's schemes")
    if texts and not method.uses_data:
        raise UsageError(f"{method.name}: takes no texts as data; to compare it with its parent on one: --eval FILE")
    return [*([] if imatrix is None else [imatrix]), *texts]


def inputs_of_distillation(teachers: Iterable[ModelLike], student: ModelLike) -> list[Reference]:
    return [
        *(Reference("teacher", reference_of(teacher)) for teacher in teachers),
        Reference("student", reference_of(student)),
    ]


def merge(
    models: Sequence[ModelLike],
    *,
    out: str | Path,
    method: str | Method = "linear",
    base: ModelLike | None = None,
    data: Sequence[str | Path] = (),
    allow_nonfinite: bool = False,
    layout: ModelLike | None = None,
    licence: str | None = None,
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Merge models into one ordinary folder, streamed in bounded memory.

    method: a name (`lineal methods` lists them) with its options as keywords, or a method such as
    `lineal.Ties(density=0.2)`. base: what task vectors start from. data: texts that a greedy soup is picked by.
    layout: names and shapes of the child's tensors where they are not to be the base's or first model's: `published`,
    `fused` (a mixture's experts in one tensor, as transformers 5 keeps them), or the model whose layout it is.
    licence: an override with its reason, `apache-2.0: the reason`. Raises MethodError for options, CheckpointError for
    models that cannot be merged, all of it before a weight is read.
    """
    chosen, inputs = method_of("merge", method, options), inputs_of_merge(models, base)
    wanted = derivation(
        "merge",
        chosen,
        inputs,
        out,
        data=data,
        allow_nonfinite=allow_nonfinite,
        layout=None if layout is None else reference_of(layout),
        licence=licence,
    )
    return wanted.make(registry, threads, progress)


def merge_recipe(
    file: str | Path,
    *,
    out: str | Path,
    allow_nonfinite: bool = False,
    licence: str | None = None,
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Model:
    """Make what a mergekit YAML describes; models of its earlier stages lie beside `out`.

    Raises RecipeError with every fault of the file and its line.
    """
    wanted = recipe(file, out, allow_nonfinite=allow_nonfinite, licence=licence)
    return wanted.make(registry, threads, progress)


def finetune(
    model: ModelLike,
    *,
    data: Sequence[str | Path],
    out: str | Path,
    method: str | Method = "lora",
    licence: str | None = None,
    registry: RegistryPlace = None,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Train a model further on texts: a LoRA adapter, or all weights with `method="full"`. The same call continues.

    data: `.jsonl` files with a text a line, or text files. Options as keywords: rank, alpha, learning_rate, epochs, ...
    Raises MissingExtra without the extra `train`.
    """
    chosen = method_of("fine-tune", method, options)
    wanted = derivation(
        "fine-tune", chosen, [Reference("parent", reference_of(model))], out, data=data, licence=licence
    )
    return wanted.make(registry, progress=progress)


def distill(
    teachers: Sequence[ModelLike],
    *,
    student: ModelLike,
    data: Sequence[str | Path],
    out: str | Path,
    method: str | Method = "distill",
    licence: str | None = None,
    registry: RegistryPlace = None,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Train a student, which begins with the weights of `student`, to predict what its teachers predict.

    Options as keywords: temperature, layers, weights, ... Raises MissingExtra without the extra `train`.
    """
    chosen, inputs = method_of("distillation", method, options), inputs_of_distillation(teachers, student)
    return derivation("distillation", chosen, inputs, out, data=data, licence=licence).make(registry, progress=progress)


def prune(
    model: ModelLike,
    *,
    out: str | Path,
    method: str | Method = "magnitude",
    base: ModelLike | None = None,
    allow_nonfinite: bool = False,
    licence: str | None = None,
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Set the share `sparsity` of the weights inside a model's blocks to zero; its size stays the same.

    base: of an adapter that does not say which.
    """
    chosen, inputs = method_of("prune", method, options), inputs_of_merge([model], base)
    wanted = derivation("prune", chosen, inputs, out, allow_nonfinite=allow_nonfinite, licence=licence)
    return wanted.make(registry, threads, progress)


def quantize(
    model: ModelLike,
    *,
    out: str | Path,
    method: str | Method | None = None,
    imatrix: str | Path | None = None,
    data: Sequence[str | Path] = (),
    base: ModelLike | None = None,
    allow_nonfinite: bool = False,
    licence: str | None = None,
    texts: Sequence[str | Path] = (),
    max_kl: float | None = None,
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Model:
    """Store a model in fewer bits: `scheme="q4_k_m"` into a .gguf file, `scheme="w4a16"` into a folder for vLLM.

    method: follows from the scheme where it is left out. imatrix: for GGUF, an importance matrix in a file, as
    llama.cpp writes it; data: texts, for methods that are calibrated; base: of an adapter that does not say which;
    texts: compare it with its parent on these. Options as keywords: scheme, group_size, symmetric, ignore,
    tensor_types, ... Raises AnswerIsNo where it is more than max_kl nats a token away from its parent on a text; the
    model stays.
    """
    from lineal.methods.quantize.by_scheme import method_of_scheme

    named = method_of_scheme(options.get("scheme")) if method is None else method
    chosen, inputs = method_of("quantize", named, options), inputs_of_merge([model], base)
    files = data_of_quantization(chosen, imatrix, data)
    wanted = derivation("quantize", chosen, inputs, out, data=files, allow_nonfinite=allow_nonfinite, licence=licence)
    return examined(wanted, texts, max_kl).make(registry, threads, progress)
