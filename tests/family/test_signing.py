"""Signatures that travel: in the file beside a model, through add, into another registry."""

import base64
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineal.checkpoint.content.hashing import hash_folder
from lineal.errors import AnswerIsNo, CheckpointError, UsageError
from lineal.family.file.recipe import Reference
from lineal.family.origin.add import add_folder
from lineal.family.progress import Silent
from lineal.family.session import LocalModel, Session
from lineal.family.trust import signing
from lineal.family.trust.signing import sign, signatures_beside, verify_place
from lineal.family.trust.verify import verify_references
from lineal.lineage.records.evidence import Evidence
from lineal.lineage.registry import Registry
from lineal.lineage.signing.bundle import BUNDLE, LARGEST, bundle_path, read_bundle, update_bundle
from lineal.lineage.signing.keys import PrivateKey, PublicKey
from lineal.lineage.signing.trust import Verdict
from lineal.methods.merge.linear import Linear
from tests.builders import make_checkpoint, random_tensors
from tests.family.conftest import SHAPES, derive_one
from tests.ggufs import random_gguf
from tests.lineage.signing.keys import id_of, line, make_key

KEY, OTHER = make_key("ed25519"), make_key("p256")
TRUSTED, UNKNOWN = PublicKey(KEY.public_key()), PublicKey(OTHER.public_key())


@dataclass(frozen=True)
class Told:
    """Progress that remembers what it said."""

    said: list[str] = field(default_factory=list)

    def say(self, message: str) -> None:
        self.said.append(message)

    def task(self, title: str, total: int, unit: Any) -> Any:
        return Silent().task(title, total, unit)


@pytest.fixture
def mean(session: Session, parents: Path) -> LocalModel:
    return derive_one(
        session, "merge", Linear(), [Reference("parent", f"{parents / name}") for name in "ab"], parents / "mean"
    )


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def elsewhere(tmp_path: Path, told: Told) -> Session:
    return Session(Registry.open(tmp_path / "elsewhere.db"), 2, told)


def evidence(session: Session, model: bytes) -> Evidence:
    (record,) = session.registry.steps_of(model)
    return record.evidence


def test_signing_changes_neither_the_model_nor_what_verify_says_of_it(session: Session, mean: LocalModel) -> None:
    before = hash_folder(mean.folder)
    done = sign(session, "mean", PrivateKey(KEY))
    assert done.file == mean.folder / BUNDLE
    assert [one.derivation_id is None for one in done.signatures] == [True, False]
    after = hash_folder(mean.folder)
    assert after.manifest == before.manifest
    assert {path: file for path, file in after.files.items() if path != BUNDLE} == before.files
    (verdict,) = verify_references(session, ["mean"])
    assert (verdict.faults, verdict.recomputed) == ((), len(SHAPES))


def test_signing_one_s_own_step_grades_it_signed(session: Session, mean: LocalModel) -> None:
    sign(session, "mean", PrivateKey(KEY), steps=False)
    assert evidence(session, mean.model_hash) is Evidence.RECORDED
    sign(session, "mean", PrivateKey(KEY))
    assert evidence(session, mean.model_hash) is Evidence.SIGNED


def test_signing_again_replaces_one_s_own_lines_and_leaves_those_of_others(session: Session, mean: LocalModel) -> None:
    foreign = ['{"payloadType":"text/plain","payload":"aGk=","signatures":[{"sig":"aGk="}]}', "not an envelope"]
    (mean.folder / BUNDLE).write_text("\n".join(foreign) + "\n")
    sign(session, "mean", PrivateKey(KEY))
    sign(session, "mean", PrivateKey(OTHER))
    once = read_bundle(mean.folder / BUNDLE)
    sign(session, "mean", PrivateKey(OTHER))
    twice = read_bundle(mean.folder / BUNDLE)
    assert once[:4] == twice[:4]
    assert (once[:2], len(once), len(twice)) == (foreign, 6, 6)
    assert [path.name for path in mean.folder.iterdir() if path.name.startswith(".")] == []


def test_signatures_go_to_a_new_file_where_one_is_named(session: Session, mean: LocalModel, tmp_path: Path) -> None:
    out = tmp_path / "mean.intoto.jsonl"
    assert sign(session, "mean", PrivateKey(KEY), out=out).file == out
    assert not (mean.folder / BUNDLE).exists()
    assert len(read_bundle(out)) == 2
    with pytest.raises(UsageError, match=r"mean\.intoto\.jsonl exists; --out"):
        sign(session, "mean", PrivateKey(KEY), out=out)


def test_writers_of_one_file_take_turns(tmp_path: Path) -> None:
    file = tmp_path / BUNDLE
    writers = [
        threading.Thread(target=update_bundle, args=(file, lambda lines, n=n: [*lines, str(n)])) for n in range(16)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(map(int, read_bundle(file))) == list(range(16))


def test_a_lone_file_has_its_signatures_beside_it(session: Session, tmp_path: Path) -> None:
    alone = random_gguf(tmp_path / "x.gguf")
    done = sign(session, "./x.gguf", PrivateKey(KEY))
    assert done.file.resolve() == bundle_path(alone) == tmp_path / "x.gguf.lineal.intoto.jsonl"
    assert [one.derivation_id for one in done.signatures] == [None]
    (found,) = verify_place(alone, [TRUSTED], Silent(), 2)
    assert found.verdict is Verdict.GOOD


def test_signatures_come_along_and_are_trusted_only_where_their_key_is(
    session: Session, mean: LocalModel, tmp_path: Path
) -> None:
    signed = sign(session, "mean", PrivateKey(KEY))
    told = Told()
    theirs = elsewhere(tmp_path, told)
    add_folder(theirs, mean.folder)
    assert theirs.registry.signatures_of(mean.model_hash) == signed.signatures
    assert evidence(theirs, mean.model_hash) is Evidence.RECORDED
    assert told.said == [
        f"{mean.folder}: signed by {id_of(KEY)[:16]}, kept but not trusted: --key names a key that you trust"
    ]
    add_folder(theirs, mean.folder, None, [TRUSTED])
    assert evidence(theirs, mean.model_hash) is Evidence.SIGNED
    assert len(told.said) == 1


def test_a_model_that_a_trusted_key_has_not_signed_is_not_added(
    session: Session, mean: LocalModel, tmp_path: Path
) -> None:
    theirs = elsewhere(tmp_path, Told())
    with pytest.raises(AnswerIsNo, match=f"mean: not signed by {id_of(KEY)[:16]}"):
        add_folder(theirs, mean.folder, None, [TRUSTED])
    sign(session, "mean", PrivateKey(KEY))
    with pytest.raises(AnswerIsNo, match=f"mean: not signed by {id_of(OTHER)[:16]}"):
        add_folder(theirs, mean.folder, None, [TRUSTED, UNKNOWN])
    assert not theirs.registry.knows(mean.model_hash)


def test_a_bad_signature_keeps_a_folder_out(session: Session, mean: LocalModel, tmp_path: Path) -> None:
    (of_model, _) = sign(session, "mean", PrivateKey(KEY)).signatures
    written = json.loads(of_model.envelope)
    altered = base64.b64decode(written["payload"]).replace(b"mean", b"evil")
    bad = json.dumps({**written, "payload": base64.b64encode(altered).decode()})
    (mean.folder / BUNDLE).write_text(f"{of_model.envelope}\n{bad}\n")
    theirs = elsewhere(tmp_path, Told())
    with pytest.raises(CheckpointError, match="a signature does not hold: the key that it carries has not signed this"):
        add_folder(theirs, mean.folder)
    assert not theirs.registry.knows(mean.model_hash)


def test_what_is_not_about_this_model_or_its_steps_is_left_behind_and_said(
    session: Session, mean: LocalModel, tmp_path: Path
) -> None:
    of_mean = sign(session, "mean", PrivateKey(KEY))
    make_checkpoint(tmp_path / "other", random_tensors(9, SHAPES, np.float32))
    (of_other,) = sign(session, "./other", PrivateKey(KEY)).signatures
    sbom = line({"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "sbom"}, OTHER)
    lines = [of_other.envelope, sbom, "nonsense", of_mean.signatures[1].envelope]
    (mean.folder / BUNDLE).write_text("\n".join(lines))
    (mean.folder / "lineal.json").unlink()  # and with it what tells of the step
    told = Told()
    theirs = elsewhere(tmp_path, told)
    add_folder(theirs, mean.folder)
    assert theirs.registry.signatures_of(mean.model_hash) == ()
    another, kind, nonsense, step = (said.partition("left behind")[2] for said in told.said)
    assert another.startswith(", another model: it is of b3:")
    assert kind.startswith(", not understood: subject must be ")
    assert nonsense.startswith(", not understood: no envelope: ")
    assert step.startswith(": it is of the step b3:")


def test_a_signature_that_another_tool_made_with_the_key_is_taken_like_any_other(
    session: Session, mean: LocalModel, tmp_path: Path
) -> None:
    (of_model, of_step) = sign(session, "mean", PrivateKey(KEY)).signatures
    statement = base64.b64decode(json.loads(of_step.envelope)["payload"])
    (mean.folder / BUNDLE).write_text(line(statement, OTHER, keyid=None, publicKey=None))
    told = Told()
    theirs = elsewhere(tmp_path, told)
    add_folder(theirs, mean.folder)
    assert theirs.registry.signatures_of(of_model.model) == ()
    assert "unknown key: it carries no key" in told.said[0]
    add_folder(theirs, mean.folder, None, [UNKNOWN])
    (kept,) = theirs.registry.signatures_of(of_model.model)
    assert kept.key_id == id_of(OTHER)
    assert evidence(theirs, mean.model_hash) is Evidence.SIGNED


def test_a_folder_is_judged_by_its_content_of_now(session: Session, mean: LocalModel) -> None:
    sign(session, "mean", PrivateKey(KEY))
    assert {found.verdict for found in verify_place(mean.folder, [TRUSTED], Silent(), 2)} == {Verdict.GOOD}
    spec = mean.checkpoint["model.norm.weight"]
    content = bytearray(spec.path.read_bytes())
    content[spec.offset] ^= 1
    spec.path.write_bytes(content)
    assert {found.verdict for found in verify_place(mean.folder, [TRUSTED], Silent(), 2)} == {Verdict.ANOTHER_MODEL}


def test_a_folder_without_signatures_has_none(mean: LocalModel) -> None:
    assert verify_place(mean.folder, [TRUSTED], Silent(), 2) == ()


def test_without_the_extra_signatures_stay_where_they_are_and_that_is_said(
    session: Session, mean: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(session, "mean", PrivateKey(KEY))
    monkeypatch.setattr(signing, "can_sign", lambda: False)
    told = Told()
    theirs = elsewhere(tmp_path, told)
    add_folder(theirs, mean.folder)
    assert theirs.registry.signatures_of(mean.model_hash) == ()
    (said,) = told.said
    assert said.startswith(
        f"{mean.folder / BUNDLE}: neither checked nor kept: checking signatures needs the extra 'sign'"
    )


def test_a_file_that_is_absurdly_large_or_no_text_is_refused(session: Session, mean: LocalModel) -> None:
    with (mean.folder / BUNDLE).open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(CheckpointError, match="larger than 16,777,216 bytes"):
        signatures_beside(session, mean.folder, mean.model_hash)
    (mean.folder / BUNDLE).write_bytes(b"\xff\xfe")
    with pytest.raises(CheckpointError, match="not a file of signatures: it is not text"):
        signatures_beside(session, mean.folder, mean.model_hash)


def test_one_envelope_may_stand_over_many_lines(tmp_path: Path) -> None:
    written = json.loads(line(b"{}", KEY))
    (tmp_path / "one.json").write_text(json.dumps(written, indent=2))
    (read,) = read_bundle(tmp_path / "one.json")
    assert json.loads(read) == written
    assert "\n" not in read
