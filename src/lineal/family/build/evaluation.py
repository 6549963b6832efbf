"""Scoring models on texts, once: what the registry knows already is not computed again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, final

from lineal.checkpoint.content.hashing import hash_file
from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash
from lineal.engines.extra import require_training
from lineal.engines.gguf.architectures import dimensions_of
from lineal.engines.inference.text_borders import possible_borders
from lineal.errors import MethodError
from lineal.family.file.recipe import Family
from lineal.family.progress import StepProgress
from lineal.family.session import LocalModel, Session
from lineal.lineage.records.records import Evaluation
from lineal.shown import quoted

if TYPE_CHECKING:
    from lineal.engines.inference.evaluate import Scores
    from lineal.engines.inference.language_model import ModelFolder

LARGEST_CONTEXT = 1024

DType: TypeAlias = Literal["float32", "bfloat16"]


@final
@dataclass(frozen=True)
class Asked:
    """How a model is to be evaluated. context: tokens a window, by default the model's positions, at most 1,024.

    logits_mebibytes: what logits may take at once; the figures do not depend on it.
    """

    context: int | None = None
    dtype: DType = "float32"
    logits_mebibytes: int | None = None


def evaluate_family(session: Session, family: Family, built: Mapping[str, LocalModel]) -> None:
    """Every built model on every text of the family, each against its references."""
    for local in built.values():
        evaluate_model(session, local, family.texts)


def evaluate_model(
    session: Session, local: LocalModel, texts: Mapping[str, Path], asked: Asked | None = None
) -> list[Evaluation]:
    """Perplexity and bits per byte on each text; KL to the model's base, else to each parent or teacher."""
    local = session.identify(local)
    references: list[LocalModel | None] = [*references_of(session, local)]
    found: list[Evaluation] = []
    for reference in references or [None]:
        found += _against(session, local, texts, reference, asked or Asked())
    return found


def evaluate_alone(session: Session, local: LocalModel, texts: Mapping[str, Path]) -> list[Evaluation]:
    """Perplexity and bits per byte on each text, without any model to compare with."""
    return _against(session, session.identify(local), texts, None, Asked())


def references_of(session: Session, local: LocalModel) -> list[LocalModel]:
    """What a model's divergence is measured from, as its first recorded step has it."""
    steps = [record.step for record in session.registry.steps_of(local.model_hash) if not record.reproduces]
    if not steps:
        return []
    first = steps[0]
    if first.type in ("quantize", "prune"):  # an adapter's base is needed to see its weights, not to compare with
        return [session.by_hash(i.model_hash) for i in first.inputs if i.role == "parent"]
    bases = [i.model_hash for i in first.inputs if i.role == "base"]
    return [session.by_hash(h) for h in bases or [i.model_hash for i in first.inputs if i.role != "student"]]


def _against(
    session: Session, local: LocalModel, texts: Mapping[str, Path], reference: LocalModel | None, asked: Asked
) -> list[Evaluation]:
    settings = settings_of(local, asked)
    hashes = {name: hash_file(path, session.memory) for name, path in texts.items()}
    compared = reference.model_hash if reference else None
    known = {
        name: evaluation
        for name, digest in hashes.items()
        if (evaluation := session.registry.find_evaluation(local.model_hash, digest, settings, compared))
    }
    missing = {name: path for name, path in texts.items() if name not in known}
    for name, scores in _scores(session, local, missing, reference, asked):
        known[name] = Evaluation(
            model=local.model_hash,
            text=name,
            data_hash=hashes[name],
            settings=settings,
            reference=compared,
            perplexity=scores.perplexity,
            bits_per_byte=scores.bits_per_byte,
            kl=scores.kl,
            tokens=scores.tokens,
            text_bytes=scores.bytes,
        )
        session.registry.record_evaluation(known[name])  # at once: what comes after it may be interrupted
    return [known[name] for name in texts]


def settings_of(local: LocalModel, asked: Asked) -> dict[str, Json]:
    """All that the figures depend on besides model and text; what was recorded under others is never taken for them.

    beginning: where the tokenizer may put a token before a text, every window begins with it, which once only the
    first did. base: of an adapter that has no record of its own.
    """
    settings: dict[str, Json] = {"context": asked.context or context_of(local)}
    if possible_borders(local.path, local.base.folder if local.base else None):
        settings["beginning"] = "every window"
    if asked.dtype != "float32":
        settings["dtype"] = asked.dtype
    if local.base is not None and local.base_hash is None:  # the adapter's hash does not say which
        settings["base"] = format_hash(local.base.model_hash)
    return settings


def _scores(
    session: Session, local: LocalModel, texts: Mapping[str, Path], reference: LocalModel | None, asked: Asked
) -> "Iterator[tuple[str, Scores]]":
    if not texts:
        return
    require_training("evaluation")
    import torch  # only where a model is run

    from lineal.engines.inference.evaluate import Reading, evaluate

    reading = Reading(asked.context or context_of(local), getattr(torch, asked.dtype))
    if asked.logits_mebibytes is not None:
        reading = Reading(reading.context, reading.dtype, logits_mebibytes=asked.logits_mebibytes)
    with StepProgress(session.progress, f"evaluating {local.label}", "tokens") as report:
        yield from evaluate(
            _folder(local),
            texts,
            reference=None if reference is None else _folder(reference),
            reading=reading,
            progress=report,
            remark=lambda line: session.progress.say(f"{local.label}: {line}"),
        )


def _folder(local: LocalModel) -> "ModelFolder":
    from lineal.engines.inference.language_model import ModelFolder

    return ModelFolder(local.path, local.base.folder if local.base else None, local.label)


def context_of(local: LocalModel) -> int:
    """The model's positions, at most 1,024."""
    if local.form == "gguf":
        return min(dimensions_of(local.checkpoint).context, LARGEST_CONTEXT)
    config = (local.base or local).checkpoint.config
    positions = config.get("max_position_embeddings", LARGEST_CONTEXT)
    if not isinstance(positions, int) or positions < 1:
        raise MethodError(f"{local.label}: max_position_embeddings is {quoted(positions)}")
    return min(positions, LARGEST_CONTEXT)
