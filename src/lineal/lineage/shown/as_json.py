"""What the reading verbs print with --json: graphs and portraits in JSON types, hashes as `b3:` and hex."""

import json
from datetime import UTC, datetime
from typing import cast

from lineal.derivation.canonical import Json
from lineal.derivation.hashes import format_hash
from lineal.lineage.licensing.graph import Contribution, Judgement
from lineal.lineage.questions.graph import Edge, FamilyGraph, Node
from lineal.lineage.questions.layouts import Relaid
from lineal.lineage.questions.portrait import Portrait
from lineal.lineage.records.licences import Obligation, terms_of
from lineal.lineage.records.records import Evaluation, KnownModel, ModelVersion, StepRecord
from lineal.lineage.tables.signatures import Signature


def graph_as_json(graph: FamilyGraph) -> dict[str, Json]:
    return {
        "models": [_node(node, graph.relaid) for node in graph.nodes],
        "edges": [_edge(edge) for edge in graph.edges],
    }


def portrait_as_json(portrait: Portrait) -> dict[str, Json]:
    return {
        **_model(portrait.model),
        "label": portrait.labels[portrait.model.model_hash],
        "names": [str(name) for name in portrait.names],
        "versions": [version_as_json(version) for version in portrait.versions],
        "taints": [
            {
                "model": format_hash(t.model),
                "data": t.data,
                "reason": t.reason,
                "source": t.source,
                "created": written_time(t.created),
            }
            for t in portrait.taints
        ],
        "gguf": None
        if portrait.gguf is None
        else {
            "types": dict(portrait.gguf.types),
            "architecture": portrait.gguf.architecture,
            "vocabulary": portrait.gguf.vocabulary,
        },
        "quantization": None if portrait.quantization is None else portrait.quantization.to_json(),
        "terms": judgement_as_json(portrait.licence),
        "locations": [str(location) for location in portrait.locations],
        "steps": [_step(record, portrait.relaid) for record in portrait.steps],
        "evaluations": [_evaluation(evaluation) for evaluation in portrait.evaluations],
        "signatures": [_signature(signature) for signature in portrait.signatures],
        "recipes": [{"name": file.name, "hash": format_hash(file.content_hash)} for file in portrait.recipes],
        "in_another_layout": [format_hash(digest) for digest in portrait.in_another_layout],
        "not_adapted": list(portrait.not_adapted),
        "labels": {format_hash(digest): label for digest, label in portrait.labels.items()},
    }


def version_as_json(known: ModelVersion) -> dict[str, Json]:
    return {
        "name": f"{known.family}:{known.name}",
        "version": str(known.version),
        "model": format_hash(known.model_hash),
        "stage": known.stage.value,
        "tags": list(known.tags),
        "quality_score": known.quality_score,
        "metrics": dict(known.metrics),
        "created": written_time(known.created),
    }


def judgement_as_json(judged: Judgement) -> dict[str, Json]:
    override = judged.override
    return {
        "joined": judged.joined,
        "override": None if override is None else {"licence": override.licence, "because": override.because},
        "contributions": [_contribution(one) for one in judged.contributions],
        "conflicts": [
            {"between": [_contribution(one) for one in conflict.between], "reason": conflict.reason}
            for conflict in judged.conflicts
        ],
    }


def _contribution(one: Contribution) -> dict[str, Json]:
    terms = terms_of(one.licence)
    known: list[Json] = [term.value for term in Obligation if term in (terms or ())]
    return {
        "path": list(one.path),
        "licence": one.licence,
        "terms": None if terms is None else known,
        "source": one.source,
    }


def written_time(created: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _model(model: KnownModel) -> dict[str, Json]:
    return {
        "model": format_hash(model.model_hash),
        "unresolved": model.is_unresolved,
        "weights": None if model.weights_hash is None else format_hash(model.weights_hash),
        "layout_hash": None if model.layout_hash is None else format_hash(model.layout_hash),
        "form": model.form,
        "parameters": model.parameters,
        "bytes": model.tensor_bytes,
        "licence": model.licence,
    }


def _node(node: Node, relaid: Relaid) -> dict[str, Json]:
    return {
        **_model(node.model),
        "label": node.label,
        "versions": [version_as_json(version) for version in node.versions],
        "kind": node.kind,
        "made_by": node.made_by,
        "evidence": None if node.evidence is None else node.evidence.value,
        "steps": [_step(record, relaid) for record in node.steps],
        "evaluations": [_evaluation(evaluation) for evaluation in node.evaluations],
    }


def _edge(edge: Edge) -> dict[str, Json]:
    return {
        "parent": format_hash(edge.parent),
        "child": format_hash(edge.child),
        "role": edge.role,
        "made_by": edge.made_by,
        "evidence": edge.evidence.value,
    }


def _step(record: StepRecord, relaid: Relaid) -> dict[str, Json]:
    derivation_id = record.step.derivation_id
    same_weights = relaid.get((record.child, derivation_id))
    return {
        "derivation_id": format_hash(derivation_id),
        **record.step.to_json(),
        "evidence": record.evidence.value,
        "share": record.share,
        "inference": None if record.inference is None else record.inference.to_json(),
        "reproduces": record.reproduces,
        "another_layout_of": None if same_weights is None else format_hash(same_weights),
        "environment": dict(record.environment),
        "seconds": record.seconds,
        "created": written_time(record.created),
    }


def _signature(signature: Signature) -> dict[str, Json]:
    return {
        "of": "model" if signature.derivation_id is None else "step",
        "derivation_id": None if signature.derivation_id is None else format_hash(signature.derivation_id),
        "key": signature.key_id,
        "envelope": json.loads(signature.envelope),
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Json]:
    return {
        "text": evaluation.text,
        "data": format_hash(evaluation.data_hash),
        "settings": cast(Json, dict(evaluation.settings)),
        "reference": None if evaluation.reference is None else format_hash(evaluation.reference),
        "perplexity": evaluation.perplexity,
        "bits_per_byte": evaluation.bits_per_byte,
        "kl": evaluation.kl,
        "tokens": evaluation.tokens,
        "text_bytes": evaluation.text_bytes,
    }
