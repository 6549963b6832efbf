"""What statements say, and that nothing is read into those that do not hold together."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from lineal.derivation import DataFile, Input, Step
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.records.records import StepRecord
from lineal.lineage.signing.dsse import IN_TOTO, Envelope, EnvelopeSignature
from lineal.lineage.signing.statements import Claim, model_statement, payload_of, read_claim, step_statement
from tests.lineage.families import digest, model

MANIFEST = model("both").manifest
STEP = Step(
    type="distillation",
    method="logits",
    inputs=(Input("teacher", digest("a")), Input("student", digest("b"))),
    options={"temperature": 2.0, "seed": "42"},
    data=(DataFile("code.jsonl", digest("data")),),
)
RECORD = StepRecord(STEP, MANIFEST.model_hash, Evidence.RECORDED, {"lineal": "0.1.0", "cores": 2}, 1.0, 2.0)
OF_MODEL = model_statement(MANIFEST, "demo:both")
OF_STEP = step_statement(RECORD, {digest("a"): "demo:a", MANIFEST.model_hash: "demo:both"})


def read(payload: bytes | dict[str, Any], payload_type: str = IN_TOTO) -> Claim:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_claim(Envelope(payload_type, content, (EnvelopeSignature(b""),)))


def test_a_model_is_its_hash_and_what_the_hash_is_made_of():
    """The model hash is computed here as docs/identity.md has it."""
    predicate: Any = OF_MODEL["predicate"]
    content = b"\x0e\0\0\0lineal.model.1" + bytes.fromhex(predicate["weightsHash"][3:]) + (1).to_bytes(8, "little")
    content += b"\x0b\0\0\0config.json" + bytes.fromhex(predicate["package"]["config.json"][3:])
    expected = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "demo:both", "digest": {"linealModelHash": blake3(content).hexdigest()}}],
        "predicateType": "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal/model/v1",
        "predicate": predicate,
    }
    assert expected == OF_MODEL
    assert read(payload_of(OF_MODEL)) == Claim(MANIFEST.model_hash)
    assert "name" not in json.dumps(model_statement(MANIFEST, None))


def test_a_step_is_slsa_provenance():
    expected = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "demo:both", "digest": {"linealModelHash": MANIFEST.model_hash.hex()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal/step/v1",
                "externalParameters": {"step": STEP.to_json()},
                "internalParameters": {"derivationId": f"b3:{STEP.derivation_id.hex()}"},
                "resolvedDependencies": [
                    {
                        "name": "demo:a",
                        "digest": {"linealModelHash": digest("a").hex()},
                        "annotations": {"role": "teacher"},
                    },
                    {"digest": {"linealModelHash": digest("b").hex()}, "annotations": {"role": "student"}},
                    {"name": "code.jsonl", "digest": {"blake3": digest("data").hex()}},
                ],
            },
            "runDetails": {
                "builder": {
                    "id": "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal",
                    "version": {"lineal": "0.1.0"},
                }
            },
        },
    }
    assert expected == OF_STEP
    assert read(payload_of(OF_STEP)) == Claim(MANIFEST.model_hash, STEP)


def test_what_nobody_asks_for_is_not_read():
    """A grade that a statement gives itself is a field like any other."""
    claimed = copy.deepcopy(OF_STEP)
    claimed["predicate"]["evidence"] = "replayed"  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue, reportOptionalSubscript]
    assert read({**claimed, "evidence": "replayed"}) == Claim(MANIFEST.model_hash, STEP)


def changed(statement: Any, change: Callable[[Any], object]) -> Any:
    altered = copy.deepcopy(statement)
    change(altered)
    return altered


ZEROS = 64 * "0"
TWO = [{"digest": {"linealModelHash": ZEROS}}] * 2


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            changed(OF_MODEL, lambda s: s.update(_type="https://in-toto.io/Statement/v0.1")),
            "not an in-toto statement v1",
        ),
        (changed(OF_MODEL, lambda s: s.update(subject=TWO)), "subject must be a list of which each"),
        (changed(OF_MODEL, lambda s: s.update(subject=[])), "subject must be a list of which each"),
        (changed(OF_MODEL, lambda s: s["subject"][0].update(digest={"blake3": ZEROS})), "subject.0.digest.linealModel"),
        (
            changed(OF_MODEL, lambda s: s["subject"][0]["digest"].update(linealModelHash=ZEROS)),
            "do not hash to its sub",
        ),
        (
            changed(OF_MODEL, lambda s: s["subject"][0]["digest"].update(linealModelHash=ZEROS + "\n")),
            "must be text of the form",
        ),
        (
            changed(OF_MODEL, lambda s: s["predicate"]["package"].update({"x.py": "b3:" + ZEROS})),
            "do not hash to its s",
        ),
        (
            changed(OF_MODEL, lambda s: s["predicate"].update(weightsHash="b3:0")),
            "weightsHash must be text",
        ),
        (changed(OF_MODEL, lambda s: s.update(predicateType="https://spdx.dev/Document")), "about something else"),
        (changed(OF_MODEL, lambda s: s.pop("predicate")), "the field 'predicate' is needed"),
    ],
)
def test_a_statement_about_a_model_must_hold_together(statement: Any, said: str):
    with pytest.raises(ValueError, match=said):
        read(statement)


def definition(change: Callable[[Any], object]) -> Any:
    return changed(OF_STEP, lambda s: change(s["predicate"]["buildDefinition"]))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (definition(lambda d: d.update(buildType="https://example.com/build/v1")), "it tells of no step of lineal's"),
        (
            definition(lambda d: d["externalParameters"]["step"].update(method="other")),
            "derivation id is not its step's",
        ),
        (definition(lambda d: d["externalParameters"]["step"].update(more=1)), "it holds more than a step does"),
        (definition(lambda d: d["externalParameters"].update(step={})), "not a step"),
        (definition(lambda d: d["internalParameters"].update(derivationId="b3:" + ZEROS)), "derivation id is not its"),
        (definition(lambda d: d["resolvedDependencies"].pop()), "dependencies are not the inputs and data"),
        (definition(lambda d: d["resolvedDependencies"].reverse()), "dependencies are not the inputs and data"),
        (definition(lambda d: d["resolvedDependencies"][0].update(digest={"sha256": ZEROS})), "dependencies are not"),
    ],
)
def test_a_statement_about_a_step_must_hold_together(statement: Any, said: str):
    with pytest.raises(ValueError, match=said):
        read(statement)


def test_a_payload_of_another_type_or_with_a_key_twice_says_nothing():
    with pytest.raises(ValueError, match="its payload is 'text/plain', no in-toto statement"):
        read(payload_of(OF_MODEL), "text/plain")
    twice = payload_of(OF_MODEL).replace(b'{"_type"', b'{"_type":"https://in-toto.io/Statement/v1","_type"', 1)
    with pytest.raises(ValueError, match="the key '_type' stands there twice"):
        read(twice)


@given(st.data())
def test_any_other_value_in_any_place_is_a_value_error_and_nothing_worse(data: st.DataObject):
    statement: Any = copy.deepcopy(data.draw(st.sampled_from([OF_MODEL, OF_STEP])))
    at, keys = statement, list(statement)
    while True:
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], dict | list) or not at[key] or data.draw(st.booleans()):
            break
        at, keys = at[key], list(at[key]) if isinstance(at[key], dict) else list(range(len(at[key])))
    at[key] = data.draw(
        st.sampled_from([None, True, 0, -1, 1.5, 10**40, "", "b3:" + ZEROS, "\ud800", [], {}, [[]], [{}]])
    )
    try:
        claim = read(json.dumps(statement).encode())
    except ValueError:
        return
    assert claim.model == MANIFEST.model_hash
