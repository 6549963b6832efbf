"""Everything the registry knows of one model, with the names of all models that this refers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from lineal.lineage.database.connection import Connection
from lineal.lineage.licensing import effective
from lineal.lineage.licensing.graph import Judgement
from lineal.lineage.questions.adapted import not_adapted
from lineal.lineage.questions.gguf_facts import GgufFacts, gguf_facts
from lineal.lineage.questions.layouts import Relaid, another_layout_of, in_another_layout
from lineal.lineage.records.quantization_report import QuantizationReport
from lineal.lineage.records.records import Evaluation, KnownModel, ModelVersion, Name, StepRecord
from lineal.lineage.registry import Registry
from lineal.lineage.stated import recipe_files
from lineal.lineage.stated.recipe_files import RecipeFile
from lineal.lineage.tables import evaluations, models, names, references, reports, signatures, steps, taints, versions
from lineal.lineage.tables.signatures import Signature
from lineal.lineage.tables.taints import Taint


@final
@dataclass(frozen=True)
class Portrait:
    """One model. steps: every way it was made, first recorded first; labels: what to call it and its relations.

    not_adapted: of an adapter whose base is known, the base's matrices without an update; in_another_layout: the models
    that hold the same weights stored otherwise.
    """

    model: KnownModel
    names: tuple[Name, ...]
    versions: tuple[ModelVersion, ...]
    locations: tuple[Path, ...]
    steps: tuple[StepRecord, ...]
    evaluations: tuple[Evaluation, ...]
    taints: tuple[Taint, ...]
    licence: Judgement
    labels: Mapping[bytes, str]
    signatures: tuple[Signature, ...]
    recipes: tuple[RecipeFile, ...]
    gguf: GgufFacts | None = None
    not_adapted: tuple[str, ...] = ()
    in_another_layout: tuple[bytes, ...] = ()
    relaid: Relaid = field(default_factory=dict[tuple[bytes, bytes], bytes])
    quantization: QuantizationReport | None = None


def portrait(registry: Registry, model: bytes) -> Portrait:
    with registry.reading() as connection:
        facts, lies_at = models.facts(connection, [model])[model], models.locations(connection, model)
        made = steps.of_children(connection, [model]).get(model, [])
        scores = evaluations.of_models(connection, [model]).get(model, ())
        related = {used.model_hash for record in made for used in record.step.inputs}
        tainted = taints.of_model(connection, model)
        related |= {taint.model for taint in tainted}
        related |= {score.reference for score in scores if score.reference is not None}
        alike = in_another_layout(connection, facts)
        related |= {*alike}
        return Portrait(
            model=facts,
            names=names.names_of(connection, [model]).get(model, ()),
            versions=versions.of_models(connection, [model]).get(model, ()),
            locations=lies_at,
            steps=tuple(made),
            evaluations=scores,
            taints=tainted,
            licence=effective.of_model(connection, model),
            labels=references.labels(connection, {model, *related}),
            signatures=signatures.of_models(connection, [model]).get(model, ()),
            recipes=recipe_files.of_model(connection, model),
            gguf=gguf_facts(models.manifest(connection, model), lies_at) if facts.form == "gguf" else None,
            not_adapted=_not_adapted(connection, facts, made),
            in_another_layout=alike,
            relaid=another_layout_of(connection, made, {model: facts}),
            quantization=None if facts.is_unresolved else reports.of_model(connection, model),
        )


def _not_adapted(connection: Connection, adapter: KnownModel, made: Sequence[StepRecord]) -> tuple[str, ...]:
    """Nothing of a model in full, and where the base was never added."""
    bases = [used.model_hash for record in made[:1] for used in record.step.inputs if used.role in ("base", "parent")]
    if adapter.form != "adapter" or len(bases) != 1 or models.facts(connection, bases)[bases[0]].is_unresolved:
        return ()
    return not_adapted(models.manifest(connection, adapter.model_hash), models.manifest(connection, bases[0]))
