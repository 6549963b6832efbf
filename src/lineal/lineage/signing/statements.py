"""What is signed: in-toto statements (v1) about a model, and about the step that made one.

A model is named by its model hash, under the digest algorithm `linealModelHash` (lower-case hex): it is a hash of
tensors and package and not of any file's bytes, so it must not pass for a file's `blake3`. The statement about a step
is SLSA provenance v1: what is asked for is the step, what is resolved are its inputs and data, what is built is the
child. Types of our own are UUID URNs: they claim no domain that somebody else may own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, final

from pydantic import Field

from lineal.checkpoint.content.identity import Manifest, model_hash
from lineal.derivation.canonical import Json, canonical_json
from lineal.derivation.hashes import format_hash, parse_hash
from lineal.derivation.step import Step
from lineal.errors import DerivationError
from lineal.lineage.records.records import StepRecord
from lineal.lineage.signing.dsse import IN_TOTO, Envelope, Foreign, read_as, strict_json
from lineal.shown import quoted

STATEMENT = "https://in-toto.io/Statement/v1"
PROVENANCE = "https://slsa.dev/provenance/v1"
MODEL = "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal/model/v1"
STEP = "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal/step/v1"
BUILDER = "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal"

DIGEST = "linealModelHash"
_Hash = Annotated[str, Field(pattern="^b3:[0-9a-f]{64}$")]


@final
@dataclass(frozen=True)
class Claim:
    """What a statement says: that there is this model; with a step, that this step gave it."""

    model: bytes
    step: Step | None = None


def model_statement(manifest: Manifest, name: str | None) -> dict[str, Json]:
    """That a model is made of these weights and this package: together they hash to its model hash."""
    package: dict[str, Json] = {path: format_hash(digest) for path, digest in sorted(manifest.package.items())}
    predicate: dict[str, Json] = {"weightsHash": format_hash(manifest.weights_hash), "package": package}
    return _statement(manifest.model_hash, name, MODEL, predicate)


def step_statement(record: StepRecord, names: Mapping[bytes, str]) -> dict[str, Json]:
    """That a step gave its child; names: what the models of the step are called, where they have one."""
    step = record.step
    versions: dict[str, Json] = {
        name: version for name, version in record.environment.items() if isinstance(version, str)
    }
    predicate: dict[str, Json] = {
        "buildDefinition": {
            "buildType": STEP,
            "externalParameters": {"step": step.to_json()},
            "internalParameters": {"derivationId": format_hash(step.derivation_id)},
            "resolvedDependencies": [
                *({**_model(used.model_hash, names.get(used.model_hash)), **_role(used.role)} for used in step.inputs),
                *({"name": file.name, "digest": {"blake3": file.data_hash.hex()}} for file in step.data),
            ],
        },
        "runDetails": {"builder": {"id": BUILDER, "version": versions}},
    }
    return _statement(record.child, names.get(record.child), PROVENANCE, predicate)


def payload_of(statement: Mapping[str, Json]) -> bytes:
    return canonical_json(statement)


def read_claim(envelope: Envelope) -> Claim:
    """What an envelope's payload says, checked to hold together; a ValueError says why it says nothing to lineal."""
    if envelope.payload_type != IN_TOTO:
        raise ValueError(f"its payload is {quoted(envelope.payload_type)}, no in-toto statement")
    statement = read_as(_Statement, strict_json(envelope.payload))
    if statement.kind != STATEMENT:
        raise ValueError(f"not an in-toto statement v1 but {quoted(statement.kind)}")
    claimed = bytes.fromhex(statement.subject[0].digest.model_hash)
    if statement.predicate_type == MODEL:
        made_of = read_as(_Model, statement.predicate)
        package = {path: parse_hash(digest) for path, digest in made_of.package.items()}
        if model_hash(parse_hash(made_of.weights_hash), package) != claimed:
            raise ValueError("its weights and package do not hash to its subject")
        return Claim(claimed)
    if statement.predicate_type == PROVENANCE:
        return Claim(claimed, _step(read_as(_Provenance, statement.predicate).definition))
    raise ValueError(f"it is about something else, {quoted(statement.predicate_type)}")


@final
class _Digest(Foreign):
    model_hash: Annotated[str, Field(alias=DIGEST, pattern="^[0-9a-f]{64}$")]


@final
class _Subject(Foreign):
    digest: _Digest


@final
class _Statement(Foreign):
    kind: Annotated[str, Field(alias="_type", max_length=1024)]
    subject: Annotated[list[_Subject], Field(min_length=1, max_length=1)]
    predicate_type: Annotated[str, Field(alias="predicateType", max_length=1024)]
    predicate: dict[str, Any]


@final
class _Model(Foreign):
    weights_hash: Annotated[_Hash, Field(alias="weightsHash")]
    package: dict[str, _Hash]


@final
class _Asked(Foreign):
    step: dict[str, Any]


@final
class _Derived(Foreign):
    derivation_id: Annotated[_Hash, Field(alias="derivationId")]


@final
class _Dependency(Foreign):
    digest: dict[str, str]


@final
class _Definition(Foreign):
    build_type: Annotated[str, Field(alias="buildType", max_length=1024)]
    asked: Annotated[_Asked, Field(alias="externalParameters")]
    derived: Annotated[_Derived, Field(alias="internalParameters")]
    dependencies: Annotated[list[_Dependency], Field(alias="resolvedDependencies")]


@final
class _Provenance(Foreign):
    definition: Annotated[_Definition, Field(alias="buildDefinition")]


def _step(definition: _Definition) -> Step:
    """The step, if everything else that is said of it follows from it: others read that and not the step."""
    if definition.build_type != STEP:
        raise ValueError(f"it tells of no step of lineal's but of {quoted(definition.build_type)}")
    try:
        step = Step.from_json(definition.asked.step)
        derivation_id = step.derivation_id
    except DerivationError as error:
        raise ValueError(str(error)) from None
    if format_hash(derivation_id) != definition.derived.derivation_id:
        raise ValueError("its derivation id is not its step's")
    expected = [
        *({DIGEST: used.model_hash.hex()} for used in step.inputs),
        *({"blake3": file.data_hash.hex()} for file in step.data),
    ]
    if [dependency.digest for dependency in definition.dependencies] != expected:
        raise ValueError("its dependencies are not the inputs and data of its step")
    return step


def _statement(model: bytes, name: str | None, predicate_type: str, predicate: dict[str, Json]) -> dict[str, Json]:
    return {
        "_type": STATEMENT,
        "subject": [_model(model, name)],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def _model(digest: bytes, name: str | None) -> dict[str, Json]:
    named: dict[str, Json] = {} if name is None else {"name": name}
    return {**named, "digest": {DIGEST: digest.hex()}}


def _role(role: str) -> dict[str, Json]:
    return {"annotations": {"role": role}}
