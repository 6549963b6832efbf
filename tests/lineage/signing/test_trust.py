"""Signatures: what lineal signs, what it makes of those of others, and what a registry keeps of them."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from lineal.errors import UsageError
from lineal.lineage.questions.portrait import portrait
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.registry import Registry
from lineal.lineage.shown.as_json import portrait_as_json
from lineal.lineage.signing.keys import PrivateKey, PublicKey
from lineal.lineage.signing.trust import Finding, Verdict, judge, sign_model, sign_steps
from lineal.lineage.soundness import check as checking
from lineal.lineage.soundness.check import check
from lineal.lineage.tables.signatures import Signature
from tests.databases import Database
from tests.lineage.families import add_family, digest, model, step
from tests.lineage.signing.keys import KINDS, der, envelope, id_of, line, make_key, pae, verify

KEY, OTHER = make_key("ed25519"), make_key("p256")
TRUSTED = PublicKey(KEY.public_key())


@pytest.fixture
def hashes(registry: Registry) -> dict[str, bytes]:
    return add_family(registry)


@pytest.fixture
def of_model(registry: Registry, hashes: dict[str, bytes]) -> Signature:
    return sign_model(registry, hashes["both"], PrivateKey(KEY))


@pytest.fixture
def of_step(registry: Registry, hashes: dict[str, bytes]) -> Signature:
    (signature,) = sign_steps(registry, hashes["both"], PrivateKey(KEY))
    return signature


def payload(signature: Signature) -> bytes:
    return base64.b64decode(json.loads(signature.envelope)["payload"])


def only(found: tuple[Finding, ...]) -> Finding:
    (finding,) = found
    return finding


def evidence(registry: Registry, child: bytes) -> Evidence:
    (record,) = registry.steps_of(child)
    return record.evidence


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_signed_verifies_without_lineal(registry: Registry, hashes: dict[str, bytes], kind: str):
    key = make_key(kind)
    signed = (
        sign_model(registry, hashes["both"], PrivateKey(key)),
        *sign_steps(registry, hashes["both"], PrivateKey(key)),
    )
    for signature in signed:
        written = json.loads(signature.envelope)
        (one,) = written["signatures"]
        content = base64.b64decode(written["payload"])
        verify(key, base64.b64decode(one["sig"]), pae("application/vnd.in-toto+json", content))
        assert written["payloadType"] == "application/vnd.in-toto+json"
        assert (one["keyid"], one["publicKey"]) == (id_of(key), base64.b64encode(der(key)).decode())
        statement = json.loads(content)
        assert statement["subject"] == [{"name": "demo:both", "digest": {"linealModelHash": hashes["both"].hex()}}]


def test_only_steps_that_somebody_saw_happen_are_signed(registry: Registry):
    recorded = Evidence.RECORDED
    grades = {"claimed": Evidence.CLAIMED, "inferred": Evidence.INFERRED, "seen": recorded, "wrong": recorded}
    for name, grade in grades.items():
        child = registry.add_model(model(name))
        _ = registry.record(replace(step(child, digest("parent")), evidence=grade))
    (wrong,) = registry.steps_of(model("wrong").manifest.model_hash)
    _ = registry.raise_evidence(wrong, Evidence.CONTRADICTED)
    brought = registry.add_model(model("brought"))
    _ = registry.record(step(brought))
    signed = {n: len(sign_steps(registry, model(n).manifest.model_hash, PrivateKey(KEY))) for n in
              ("claimed", "inferred", "seen", "wrong", "brought")}  # fmt: skip
    assert signed == {"claimed": 0, "inferred": 0, "seen": 1, "wrong": 0, "brought": 0}


def test_an_unresolved_model_is_not_signed(registry: Registry):
    _ = registry.record(step(digest("child"), digest("ghost")))
    with pytest.raises(UsageError, match="is unresolved"):
        sign_model(registry, digest("ghost"), PrivateKey(KEY))


# What a signature is worth


def test_a_signature_is_good_for_a_key_that_was_given_and_unknown_to_everybody_else(of_step: Signature):
    good = only(judge(of_step.envelope, [PublicKey(OTHER.public_key()), TRUSTED], of_step.model))
    assert (good.verdict, good.key_id, good.kept) == (Verdict.GOOD, id_of(KEY), of_step)
    for keys in ([], [PublicKey(OTHER.public_key())]):
        unknown = only(judge(of_step.envelope, keys, of_step.model))
        assert (unknown.verdict, unknown.key_id, unknown.kept) == (Verdict.UNKNOWN_KEY, id_of(KEY), of_step)


def test_a_signature_without_hints_is_found_by_trying_keys(of_model: Signature):
    bare = line(payload(of_model), KEY, keyid=None, publicKey=None)
    good = only(judge(bare, [PublicKey(OTHER.public_key()), TRUSTED]))
    assert (good.verdict, good.key_id) == (Verdict.GOOD, id_of(KEY))
    assert good.kept is not None and judge(good.kept.envelope, [TRUSTED], of_model.model)[0].kept == good.kept
    unknown = only(judge(bare))
    assert (unknown.verdict, unknown.kept) == (Verdict.UNKNOWN_KEY, None)


def test_hints_decide_nothing(of_model: Signature):
    """A key id or key that another signer puts there makes no signature good, and takes nothing from a good one."""
    claims_to_be = line(payload(of_model), OTHER, keyid=id_of(KEY), publicKey=base64.b64encode(der(KEY)).decode())
    assert only(judge(claims_to_be, [TRUSTED])).verdict is Verdict.BAD
    assert only(judge(claims_to_be)).verdict is Verdict.BAD
    without_key = line(payload(of_model), OTHER, keyid=id_of(KEY), publicKey=None)
    assert only(judge(without_key, [TRUSTED])).verdict is Verdict.BAD
    mislabelled = line(payload(of_model), KEY, keyid=id_of(OTHER), publicKey=None)
    assert only(judge(mislabelled, [TRUSTED])).verdict is Verdict.GOOD
    assert only(judge(line(payload(of_model), OTHER, keyid=id_of(KEY)))).why == (
        "the key that it carries is not the one that it names"
    )


def test_every_signature_of_an_envelope_is_judged_by_itself(of_model: Signature):
    written = envelope(payload(of_model), KEY, OTHER)
    written["signatures"].append({"sig": "AAAA", "keyid": "nobody"})
    found = judge(json.dumps(written), [TRUSTED], of_model.model)
    assert [finding.verdict for finding in found] == [Verdict.GOOD, Verdict.UNKNOWN_KEY, Verdict.UNKNOWN_KEY]
    assert found[1].kept is not None
    assert len(json.loads(found[1].kept.envelope)["signatures"]) == 1
    assert found[2].kept is None


def bad_lines(signed: Signature) -> dict[str, str]:
    written = json.loads(signed.envelope)
    (signature,) = written["signatures"]
    plain = base64.b64encode(KEY.sign(payload(signed))).decode()
    altered = payload(signed).replace(b"demo:both", b"demo:evil")
    return {
        "payload altered": json.dumps({**written, "payload": base64.b64encode(altered).decode()}),
        "payload type swapped": json.dumps({**written, "payloadType": "text/plain"}),
        "signature stripped": json.dumps({**written, "signatures": [{**signature, "sig": ""}]}),
        "signed without PAE": json.dumps({**written, "signatures": [{**signature, "sig": plain}]}),
        "another curve": line(payload(signed), make_key("p384")),
        "no key carried": line(payload(signed), OTHER, publicKey="AAAA", keyid=None),
    }  # fmt: skip


@pytest.mark.parametrize("attack", sorted(bad_lines(Signature(b"", None, "", line(b"{}", KEY)))))
def test_what_the_key_has_not_signed_is_bad(of_model: Signature, attack: str):
    for keys in ([], [TRUSTED]):
        found = only(judge(bad_lines(of_model)[attack], keys, of_model.model))
        assert (found.verdict, found.claim, found.kept) == (Verdict.BAD, None, None)


def test_a_signature_of_another_model_is_none_of_this_one(
    registry: Registry, hashes: dict[str, bytes], of_step: Signature
):
    found = only(judge(of_step.envelope, [TRUSTED], hashes["base"]))
    assert (found.verdict, found.kept, found.key_id) == (Verdict.ANOTHER_MODEL, None, id_of(KEY))
    assert found.why == f"it is of b3:{hashes['both'].hex()}"


def test_what_is_signed_and_yet_no_statement_of_lineal_s_is_not_understood(of_model: Signature):
    twice = payload(of_model).replace(b'{"_type"', b'{"subject":[],"_type"', 1)
    for signed in (
        line(twice, KEY),
        line({"_type": "https://in-toto.io/Statement/v1"}, KEY),
        line(payload(of_model), KEY, payload_type="text/plain"),
        "{}",
        "nonsense",
    ):
        found = only(judge(signed, [TRUSTED]))
        assert (found.verdict, found.kept) == (Verdict.NOT_UNDERSTOOD, None)


# What a registry keeps


def test_signatures_are_kept_once_for_each_key_and_thing(registry: Registry, of_model: Signature, of_step: Signature):
    other = sign_model(registry, of_model.model, PrivateKey(OTHER))
    again = sign_model(registry, of_model.model, PrivateKey(OTHER))
    assert other.envelope != again.envelope  # ECDSA draws a number for each
    registry.keep_signatures([of_model, of_step, other])
    registry.keep_signatures([of_model, of_step, again])
    assert registry.signatures_of(of_model.model) == (of_model, of_step, again)
    assert portrait(registry, of_model.model).signatures == (of_model, of_step, again)
    told: Any = portrait_as_json(portrait(registry, of_model.model))["signatures"]
    assert [(one["of"], one["key"], json.dumps(one["envelope"]) != "") for one in told] == [
        ("model", id_of(KEY), True), ("step", id_of(KEY), True), ("model", id_of(OTHER), True),
    ]  # fmt: skip
    assert told[0]["envelope"] == json.loads(of_model.envelope)
    assert check(registry).faults == ()
    assert check(registry).signatures == 3


def test_a_step_is_graded_signed_by_a_trusted_key_alone(registry: Registry, of_model: Signature, of_step: Signature):
    registry.keep_signatures([of_model, of_step])
    assert evidence(registry, of_step.model) is Evidence.RECORDED
    registry.keep_signatures([of_model], {id_of(KEY)})
    assert evidence(registry, of_step.model) is Evidence.RECORDED  # who signs a model does not say how it was made
    registry.keep_signatures([of_step], {id_of(OTHER)})
    assert evidence(registry, of_step.model) is Evidence.RECORDED
    registry.keep_signatures([of_step], {id_of(KEY)})
    assert evidence(registry, of_step.model) is Evidence.SIGNED
    registry.keep_signatures([of_step])
    assert evidence(registry, of_step.model) is Evidence.SIGNED


def test_a_signature_outweighs_neither_a_replay_nor_a_contradiction(registry: Registry, of_step: Signature):
    (record,) = registry.steps_of(of_step.model)
    _ = registry.raise_evidence(record, Evidence.REPLAYED, 1.0)
    registry.keep_signatures([of_step], {id_of(KEY)})
    assert evidence(registry, of_step.model) is Evidence.REPLAYED
    _ = registry.raise_evidence(record, Evidence.CONTRADICTED)
    registry.keep_signatures([of_step], {id_of(KEY)})
    assert evidence(registry, of_step.model) is Evidence.CONTRADICTED


def test_a_signature_of_an_unknown_step_is_refused_and_nothing_is_kept(
    registry: Registry, of_model: Signature, of_step: Signature
):
    unknown = replace(of_step, derivation_id=digest("never happened"))
    with pytest.raises(UsageError, match="the registry knows no step b3:"):
        registry.keep_signatures([of_model, unknown], {id_of(KEY)})
    assert registry.signatures_of(of_model.model) == ()


# check


def test_check_finds_signatures_that_do_not_hold(
    registry: Registry,
    database: Database,
    place: str,
    hashes: dict[str, bytes],
    of_model: Signature,
    of_step: Signature,
):
    registry.keep_signatures([of_model, of_step], {id_of(KEY)})
    code = sign_model(registry, hashes["code"], PrivateKey(KEY))
    short = f"b3:{of_model.model.hex()[:8]}: the signature by key {id_of(KEY)[:16]}"
    for envelope_, said in (
        (bad_lines(of_model)["payload altered"], f"{short} does not hold: the key that it carries has not signed this"),
        (code.envelope, f"{short} does not hold: it is of b3:{hashes['code'].hex()}"),
        (of_step.envelope, f"{short} is kept for something else than it is of"),
        ("{}", f"{short} does not hold: no envelope: the field 'signatures' is needed"),
    ):
        _ = database.run(place, f"UPDATE signature SET envelope = '{envelope_}' WHERE step_id IS NULL")
        assert said in check(registry).faults


def test_check_finds_grades_that_no_signature_stands_behind(
    registry: Registry, database: Database, place: str, of_step: Signature
):
    registry.keep_signatures([of_step], {id_of(KEY)})
    _ = database.run(place, "DELETE FROM signature")
    said = f"b3:{of_step.model.hex()[:8]}: a step that gave it is graded signed, but no signature of it is kept"
    assert said in check(registry).faults


def test_without_the_extra_check_says_what_it_did_not_check(
    registry: Registry, of_model: Signature, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checking, "can_sign", lambda: False)
    assert check(registry).signatures_unchecked is None
    registry.keep_signatures([replace(of_model, envelope="{}")])
    found = check(registry)
    assert (found.faults, found.signatures) == ((), 1)
    assert found.signatures_unchecked == "checking signatures needs the extra 'sign': pip install 'lineal[sign]'"
