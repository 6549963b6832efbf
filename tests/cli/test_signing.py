"""lineal sign and verify-signature."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineal.lineage.signing import keys as signing_keys
from tests.cli.conftest import Command
from tests.cli.test_imports import SOURCE, loaded_by
from tests.lineage.signing.keys import id_of, line, make_key, write_private, write_public

KEY, OTHER = make_key("ed25519"), make_key("p256")
MINE, THEIRS = id_of(KEY)[:16], id_of(OTHER)[:16]


@pytest.fixture
def signed(lineal: Command, tmp_path: Path) -> Command:
    """A merge, signed by one key; another is there, too."""
    for name, key in (("mine", KEY), ("theirs", OTHER)):
        write_private(tmp_path / f"{name}.key", key)
        write_public(tmp_path / f"{name}.pub", key)
    assert lineal("merge", "./a", "./b", "--method", "linear", "--out", "mean").code == 0
    answer = lineal("sign", "mean", "--key", "mine.key")
    assert (answer.code, answer.err) == (0, "")
    return lineal


def model_hash(lineal: Command) -> str:
    return json.loads(lineal("show", "mean", "--json").out)["model"]


def verdicts(lineal: Command, *words: str) -> tuple[int, list[tuple[str, str | None]]]:
    answer = lineal("verify-signature", *words, "--json")
    return answer.code, [(found["verdict"], found["key"]) for found in json.loads(answer.out)]


def test_sign_says_what_it_signed_and_where_that_is(signed: Command, tmp_path: Path) -> None:
    lines = signed("sign", "mean", "--key", "theirs.key").out.splitlines()
    short = model_hash(signed)[:11]
    assert lines[0] == f"signed the model {short}, by key {THEIRS}"
    assert lines[1].startswith("signed the step b3:")
    assert lines[1].endswith(f" that gave {short}, by key {THEIRS}")
    assert lines[2] == f"written to {tmp_path / 'mean' / 'lineal.intoto.jsonl'}"


def test_sign_says_where_no_step_could_be_signed(signed: Command) -> None:
    answer = signed("sign", "./c", "--key", "mine.key")
    assert (answer.code, len(answer.out.splitlines())) == (0, 2)
    assert answer.err == "no step was signed: none is known to have made ./c, but by hearsay\n"
    assert signed("sign", "./c", "--key", "mine.key", "--no-step").err == ""


def test_the_model_alone_is_signed_where_that_is_asked_for(signed: Command) -> None:
    out = signed("sign", "mean", "--key", "theirs.key", "--no-step", "--out", "alone.jsonl").out
    assert out.splitlines() == [
        f"signed the model {model_hash(signed)[:11]}, by key {THEIRS}",
        "written to alone.jsonl",
    ]
    assert len(Path("alone.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("model", ["mean", "./mean", "mean/lineal.intoto.jsonl"])
def test_a_signature_by_the_key_that_was_asked_for_is_yes(signed: Command, model: str) -> None:
    answer = signed("verify-signature", model, "--key", "mine.pub")
    short = model_hash(signed)[:11]
    assert (answer.code, answer.err) == (0, "")
    first, second = answer.out.splitlines()
    assert first == f"good            key {MINE}  the model {short}"
    assert second.startswith(f"good            key {MINE}  the step b3:")
    assert second.endswith(f"that gave {short}, linear")


@pytest.mark.parametrize("model", ["mean", "./mean", "mean/lineal.intoto.jsonl"])
def test_every_key_that_is_asked_for_must_have_signed(signed: Command, model: str) -> None:
    answer = signed("verify-signature", model, "--key", "mine.pub", "--key", "theirs.pub")
    assert (answer.code, answer.err) == (1, f"lineal: {model}: not signed by {THEIRS}\n")
    signed("sign", "mean", "--key", "theirs.key")
    assert signed("verify-signature", model, "--key", "mine.pub", "--key", "theirs.pub").code == 0
    assert verdicts(signed, model, "--key", "theirs.pub") == (
        0, 2 * [("unknown key", id_of(KEY))] + 2 * [("good", id_of(OTHER))],
    )  # fmt: skip


def test_without_a_key_nobody_is_trusted(signed: Command) -> None:
    answer = signed("verify-signature", "mean")
    assert answer.code == 1
    assert answer.err == "lineal: mean: no key was given with --key, so none of its signatures can be trusted\n"
    assert [line[:11] for line in answer.out.splitlines()] == 2 * ["unknown key"]


def test_what_is_not_signed_is_no(signed: Command) -> None:
    signed("add", "./c")
    for model in ("c", "./c"):
        answer = signed("verify-signature", model, "--key", "mine.pub")
        assert (answer.code, answer.out, answer.err) == (1, "", f"lineal: {model} is not signed\n")


def test_a_signature_in_the_folder_of_another_model_is_no(signed: Command) -> None:
    shutil.copy("mean/lineal.intoto.jsonl", "c/lineal.intoto.jsonl")
    code, found = verdicts(signed, "./c", "--key", "mine.pub")
    assert (code, found) == (1, 2 * [("another model", id_of(KEY))])


def test_a_file_may_be_asked_to_be_of_one_model(signed: Command) -> None:
    words = ("verify-signature", "mean/lineal.intoto.jsonl", "--key", "mine.pub", "--model")
    assert signed(*words, model_hash(signed)).code == 0
    other = signed(*words, "b3:" + 64 * "0")
    assert (other.code, other.out.count("another model")) == (1, 2)
    assert signed(*words, "b3:20bdd159").code == 2
    elsewhere = signed("verify-signature", "mean", "--key", "mine.pub", "--model", model_hash(signed))
    assert (elsewhere.code, elsewhere.err) == (2, "lineal: --model goes with a file of signatures, which mean is not\n")


def test_a_bad_signature_is_no_whoever_else_has_signed(signed: Command) -> None:
    bundle = Path("mean/lineal.intoto.jsonl")
    bad = bundle.read_text().splitlines()[0].replace('"sig":"', '"sig":"AAAA')
    bundle.write_text(f"{bundle.read_text()}{bad}\n")
    answer = signed("verify-signature", "./mean", "--key", "mine.pub")
    assert (answer.code, answer.err) == (1, "lineal: ./mean: 1 of 3 signatures are bad\n")
    assert answer.out.splitlines()[2].endswith("the key that it carries has not signed this")


def test_a_file_or_folder_needs_no_registry_and_makes_none(signed: Command, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / ".lineal")
    for model in ("./mean", "mean/lineal.intoto.jsonl"):
        assert signed("verify-signature", model, "--key", "mine.pub").code == 0
    assert not (tmp_path / ".lineal").exists()
    assert signed("verify-signature", "mean", "--key", "mine.pub").code == 3
    assert not (tmp_path / ".lineal").exists()


def test_what_a_stranger_writes_reaches_no_terminal_as_it_is(signed: Command) -> None:
    escape = "\x1b[31m"
    unsigned = {"payload": "", "payloadType": escape, "signatures": [{"sig": "", "keyid": f"{escape}good"}], escape: 0}
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"linealModelHash": 64 * "0"}}],
        "predicateType": "urn:uuid:88a48f7b-32ae-48a2-8d14-577b3be2c752#lineal/model/v1",
        "predicate": {"weightsHash": "b3:" + 64 * "0", "package": {escape: escape}},
    }
    lines = [json.dumps(unsigned), line(statement, OTHER), json.dumps(unsigned).replace("sig", "sag"), escape]
    Path("mean/lineal.intoto.jsonl").write_text("\n".join(lines))
    for words in (("verify-signature", "./mean", "--key", "mine.pub"), ("add", "./mean")):
        answer = signed(*words)
        assert len((answer.out + answer.err).splitlines()) >= 4
        assert all(letter.isprintable() or letter == "\n" for letter in answer.out + answer.err)


def test_show_and_check_tell_of_signatures(signed: Command) -> None:
    told = signed("show", "mean").out
    assert f"signatures       the model, by key {MINE}\n" in told
    assert "evidence         signed\n" in told
    keys: Any = json.loads(signed("show", "mean", "--json").out)["signatures"]
    assert [one["key"] for one in keys] == 2 * [id_of(KEY)]
    assert signed("check").out.endswith(" journal entries, 2 signatures\n")
    assert json.loads(signed("check", "--json").out)["signatures"] == 2


def test_add_takes_signatures_along_and_trusts_the_key_that_is_given(signed: Command) -> None:
    words = ("add", "./mean", "--registry", "other.db")
    assert "kept but not trusted" in signed(*words).err
    assert "evidence         recorded\n" in signed("show", "mean", "--registry", "other.db").out
    assert signed(*words, "--key", "mine.pub").err == ""
    assert "evidence         signed\n" in signed("show", "mean", "--registry", "other.db").out
    refused = signed(*words, "--key", "theirs.pub")
    assert (refused.code, refused.out, refused.err) == (
        1,
        "",
        f"lineal: ./mean: not signed by {THEIRS}\n".replace("./", ""),
    )


def test_an_encrypted_key_takes_its_password_from_the_environment(
    signed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "locked.key", OTHER, "secret")
    words = ("sign", "mean", "--key", "locked.key")
    needed = signed(*words)
    assert (needed.code, needed.out) == (2, "")
    assert "locked.key is encrypted: its password is needed in LINEAL_KEY_PASSWORD" in needed.err
    monkeypatch.setenv("LINEAL_KEY_PASSWORD", "wrong")
    assert "the password does not open this key" in signed(*words).err
    monkeypatch.setenv("LINEAL_KEY_PASSWORD", "secret")
    assert signed(*words).code == 0


def test_on_a_terminal_the_password_is_asked_for(
    signed: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "locked.key", OTHER, "secret")
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "secret")
    assert signed("sign", "mean", "--key", "locked.key").code == 0
    assert asked == ["Password of locked.key: "]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("sign", "mean", "--key", "mine.pub"), 2, "mine.pub: no private key in PEM"),
        (("sign", "mean", "--key", "nowhere"), 3, "nowhere: no such file"),
        (("sign", "nobody", "--key", "mine.key"), 2, "no model is called 'nobody'"),
        (("sign", "mean"), 2, "Missing option '--key'"),
        (("verify-signature", "mean", "--key", "mine.key"), 2, "mine.key: a private key; give the public one"),
        (("verify-signature", "./nowhere", "--key", "mine.pub"), 3, "no such folder or GGUF"),
        (("verify-signature", "mine.pub", "--key", "mine.pub"), 1, "not signed by"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(signed: Command, words: tuple[str, ...], code: int, said: str) -> None:
    answer = signed(*words)
    assert answer.code == code
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_without_the_extra_its_line_is_said(signed: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "find_spec", lambda _: None)
    for words, what in (
        (("sign", "mean", "--key", "mine.key"), "signing"),
        (("verify-signature", "mean", "--key", "mine.pub"), "checking signatures"),
        (("add", "./mean", "--key", "mine.pub"), "checking signatures"),
    ):
        answer = signed(*words)
        line = f"lineal: {what} needs the extra 'sign': pip install 'lineal[sign]'\n"
        assert (answer.code, answer.out, answer.err) == (2, "", line)


def test_both_verbs_load_neither_numpy_nor_torch(signed: Command, tmp_path: Path) -> None:
    registry = ("--registry", str(tmp_path / ".lineal" / "registry.db"))
    heavy = {"numba", "numpy", "torch", "transformers"}
    assert loaded_by(tmp_path, "sign", "mean", "--key", "mine.key", *registry).isdisjoint(heavy)
    assert loaded_by(tmp_path, "verify-signature", "./mean", "--key", "mine.pub").isdisjoint(heavy)


def test_the_core_does_without_the_package(signed: Command, tmp_path: Path) -> None:
    """In a process where it cannot be imported."""

    def without(*words: str) -> subprocess.CompletedProcess[str]:
        program = (
            f"import sys; sys.modules['cryptography'] = None\nfrom lineal.cli.entry import main; main({list(words)!r})"
        )
        environment = {**os.environ, "PYTHONPATH": SOURCE}
        return subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=environment
        )

    assert (
        "neither checked nor kept: checking signatures needs" in without("add", "./mean", "--registry", "x.db").stderr
    )
    assert "signing needs the extra 'sign'" in without("sign", "mean", "--key", "mine.key").stderr
    checked = without("check")
    assert checked.stdout.endswith(", 2 signatures\n")
    assert checked.stderr.startswith(
        "signatures were not checked: checking signatures needs the extra 'sign': pip install"
    )


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_the_page_s_lines_check_a_signature_without_lineal(signed: Command, tmp_path: Path) -> None:
    """What docs/verbs/sign.md says to do with openssl and Python's standard library."""
    page = (Path(__file__).parents[2] / "docs" / "verbs" / "sign.md").read_text()
    script = page.partition("```sh\n")[2].partition("```")[0]
    shutil.copy("mean/lineal.intoto.jsonl", "both.intoto.jsonl")
    shutil.copy("mine.pub", "lineal.pub")
    checked = subprocess.run(
        ["bash", "-ec", script], check=False, cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
    )
    assert "Signature Verified Successfully" in checked.stdout, checked.stderr
    assert json.loads((tmp_path / "statement.json").read_bytes())["_type"] == "https://in-toto.io/Statement/v1"
