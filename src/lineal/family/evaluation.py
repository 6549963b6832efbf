"""Scoring models on texts, once: what the registry knows already is not computed again."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lineal.checkpoint.hashing import hash_file
from lineal.engines.extra import require_training
from lineal.engines.llama_of_gguf import llama_of_gguf
from lineal.errors import MethodError
from lineal.family.progress import StepProgress
from lineal.family.recipe import Family
from lineal.family.workshop import Placed, Workshop
from lineal.lineage.records import Evaluation

if TYPE_CHECKING:
    from lineal.engines.evaluate import Scores

LARGEST_CONTEXT = 1024


def evaluate_family(workshop: Workshop, family: Family, built: Mapping[str, Placed]) -> None:
    """Every built model on every text of the family, each against its references."""
    for placed in built.values():
        evaluate_model(workshop, placed, family.texts)


def evaluate_model(
    workshop: Workshop, placed: Placed, texts: Mapping[str, Path], context: int | None = None
) -> list[Evaluation]:
    """Perplexity and bits per byte on each text; KL to the model's base, else to each parent or teacher."""
    placed = workshop.identify(placed)
    references: list[Placed | None] = [*references_of(workshop, placed)]
    length = context or context_of(placed)
    found: list[Evaluation] = []
    for reference in references or [None]:
        found += _against(workshop, placed, texts, reference, length)
    return found


def evaluate_alone(workshop: Workshop, placed: Placed, texts: Mapping[str, Path]) -> list[Evaluation]:
    """Perplexity and bits per byte on each text, without any model to compare with."""
    placed = workshop.identify(placed)
    return _against(workshop, placed, texts, None, context_of(placed))


def references_of(workshop: Workshop, placed: Placed) -> list[Placed]:
    """What a model's divergence is measured from, as its first recorded step has it."""
    steps = [record.step for record in workshop.registry.steps_of(placed.model_hash) if not record.reproduces]
    if not steps:
        return []
    first = steps[0]
    if first.type in ("quantize", "prune"):  # an adapter's base is needed to see its weights, not to compare with
        return [workshop.by_hash(i.model_hash) for i in first.inputs if i.role == "parent"]
    bases = [i.model_hash for i in first.inputs if i.role == "base"]
    return [workshop.by_hash(h) for h in bases or [i.model_hash for i in first.inputs if i.role != "student"]]


def _against(
    workshop: Workshop, placed: Placed, texts: Mapping[str, Path], reference: Placed | None, context: int
) -> list[Evaluation]:
    settings = {"context": context}
    hashes = {name: hash_file(path, workshop.memory) for name, path in texts.items()}
    compared = reference.model_hash if reference else None
    known = {
        name: evaluation
        for name, digest in hashes.items()
        if (evaluation := workshop.registry.find_evaluation(placed.model_hash, digest, settings, compared))
    }
    missing = {name: path for name, path in texts.items() if name not in known}
    for name, scores in _scores(workshop, placed, missing, reference, context).items():
        known[name] = Evaluation(
            model=placed.model_hash,
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
        workshop.registry.record_evaluation(known[name])
    return [known[name] for name in texts]


def _scores(
    workshop: Workshop, placed: Placed, texts: Mapping[str, Path], reference: Placed | None, context: int
) -> "Mapping[str, Scores]":
    if not texts:
        return {}
    require_training("evaluation")
    from lineal.engines.evaluate import evaluate  # torch is imported only where a model is run

    with StepProgress(workshop.progress, f"evaluating {placed.label}", "tokens") as report:
        return evaluate(
            placed.place,
            texts,
            base_folder_for_adapter=placed.base.folder if placed.base else None,
            reference=reference.place if reference else None,
            base_folder_for_reference=reference.base.folder if reference and reference.base else None,
            context=context,
            progress=report,
        )


def context_of(placed: Placed) -> int:
    """The model's positions, at most 1,024."""
    if placed.form == "gguf":
        return min(llama_of_gguf(placed.checkpoint).context, LARGEST_CONTEXT)
    config = (placed.base or placed).checkpoint.config
    positions = config.get("max_position_embeddings", LARGEST_CONTEXT)
    if not isinstance(positions, int) or positions < 1:
        raise MethodError(f"{placed.label}: max_position_embeddings is {positions!r}")
    return min(positions, LARGEST_CONTEXT)
