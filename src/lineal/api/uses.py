"""What one does with models: whole families built, texts predicted and continued."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from lineal.api.model import Model, ModelLike, reference_of
from lineal.api.opened import RegistryPlace, opened
from lineal.checkpoint.inside import resolved
from lineal.engines.extra import require_training
from lineal.family.build.evaluation import Asked, DType, evaluate_family, evaluate_model
from lineal.family.build.importances import Chunks, measure_importances
from lineal.family.build.plan import PlannedModel, plan_family
from lineal.family.build.run import run_family
from lineal.family.file.read import read_family
from lineal.family.origin.adapter_base import with_base
from lineal.family.progress import Progress
from lineal.family.session import name_by_path, register
from lineal.lineage.records.records import Evaluation


def run(
    file: str | Path = "family.yaml",
    names: Iterable[str] = (),
    *,
    out: str | Path = "models",
    evaluate: bool = True,
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Model]:
    """Build what is missing of a family file's models; the finished ones by name.

    names: only these, and what they are made from; evaluate: score them on the file's texts. What was killed is
    continued. Raises RecipeError with every fault of the file and its line.
    """
    with opened(registry, threads, progress) as session:
        family = read_family(Path(file), session.knows)
        built = run_family(session, family, Path(out), names)
        if evaluate:
            evaluate_family(session, family, built)
        return {name: Model(local, registry) for name, local in built.items()}


def plan(
    file: str | Path = "family.yaml",
    names: Iterable[str] = (),
    *,
    out: str | Path = "models",
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[PlannedModel]:
    """What `run` would do: what is there already, and parameters, bytes, memory and seconds of what is not.

    Nothing is built, downloaded or recorded. Raises RecipeError as `run` does.
    """
    with opened(registry, threads, progress, keeps=False) as session:
        return plan_family(session, read_family(Path(file), session.knows), Path(out), names)


def evaluate(
    models: ModelLike | Sequence[ModelLike],
    *,
    data: Sequence[str | Path],
    context: int | None = None,
    dtype: DType = "float32",
    logits: int | None = None,
    base: ModelLike | None = None,
    registry: RegistryPlace = None,
    progress: Progress | None = None,
) -> list[tuple[str, Evaluation]]:
    """How well models predict texts: perplexity, bits per byte, and KL divergence (nats) from their base or parents.

    context: tokens a window; logits: MiB that logits may take at once. Figures that the registry knows are not computed
    again. Each model is given as it was named, with one evaluation a text and reference. Raises MissingExtra without
    the extra `train`.
    """
    texts = texts_by_name(Path(path) for path in data)
    wanted = [models] if isinstance(models, str | Path | Model) else models
    scores: list[tuple[str, Evaluation]] = []
    with opened(registry, progress=progress) as session:
        for reference in map(reference_of, wanted):
            local = with_base(
                session, session.identify(session.find(reference)), None if base is None else reference_of(base)
            )
            _ = register(session, local)
            name_by_path(session, local)
            found = evaluate_model(session, local, texts, Asked(context, dtype, logits))
            scores += [(reference, evaluation) for evaluation in found]
    return scores


def imatrix(
    model: ModelLike,
    *,
    data: str | Path,
    out: str | Path,
    context: int = 512,
    chunks: int | None = None,
    base: ModelLike | None = None,
    registry: RegistryPlace = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Measure on a text which columns of a model's matrices matter, for `quantize(..., imatrix=...)`; the file written.

    context: tokens a chunk; chunks: at most so many; base: of an adapter that does not say which. The file is in
    llama.cpp's GGUF form. Raises MissingExtra without the extra `train`.
    """
    place = Path(out)
    with opened(registry, threads, progress, keeps=False) as session:
        local = with_base(session, session.find(reference_of(model)), None if base is None else reference_of(base))
        _ = measure_importances(session, local, Path(data), place, Chunks(context, chunks))
    return place


def texts_by_name(data: Iterable[Path]) -> Mapping[str, Path]:
    """Texts by the end of their paths: the file's name, and as many folders as tell them apart."""
    files = list(dict.fromkeys(resolved(path) for path in data))
    depth = 1
    while len({path.parts[-depth:] for path in files}) < len(files):
        depth += 1
    return {"/".join(path.parts[-depth:]): path for path in files}


def generate(
    model: ModelLike,
    prompt: str,
    *,
    tokens: int = 100,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 42,
    base: ModelLike | None = None,
    registry: RegistryPlace = None,
    must_exist: bool = False,
    remark: Callable[[str], None] | None = None,
) -> Iterator[str]:
    """Continue a prompt: the pieces of text as they are made, the prompt not among them.

    tokens: at most so many; temperature: 0 takes the likeliest; top_p: draw from the likeliest of this share; base: of
    an adapter that does not say which; remark: takes what should be known of the model, a line each. What is wrong is
    raised by the call, before any text comes. Raises MissingExtra without the extra `train`.
    """
    require_training("generation")
    from lineal.engines.inference.generate import generate as pieces

    with opened(registry, must_exist=must_exist, keeps=False) as session:
        local = with_base(session, session.find(reference_of(model)), None if base is None else reference_of(base))
    drawn = pieces(
        local.path,
        prompt,
        tokens,
        base_folder_for_adapter=local.base.path if local.base else None,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        remark=remark,
    )
    first = next(drawn, "")
    return chain([first], drawn)
