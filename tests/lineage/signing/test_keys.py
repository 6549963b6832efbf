"""Keys in PEM files: which are taken, and what is said of the others."""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lineal.errors import CheckpointError, MissingExtra, UsageError
from lineal.lineage.signing import keys as signing_keys
from lineal.lineage.signing.keys import public_key, read_private_key, read_public_key, read_public_keys
from tests.lineage.signing.keys import KINDS, der, id_of, make_key, sign, verify, write_private, write_public


def no_password() -> str:
    raise AssertionError("the key is not encrypted")


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_hold_for_the_library_and_the_other_way_round(kind: str, tmp_path: Path):
    key = make_key(kind)
    private = read_private_key(write_private(tmp_path / "key.pem", key), no_password)
    public = read_public_key(write_public(tmp_path / "key.pub", key))
    verify(key, private.sign(b"content"), b"content")
    assert public.has_signed(b"content", sign(key, b"content"))
    assert private.public.has_signed(b"content", private.sign(b"content"))
    assert not public.has_signed(b"contents", sign(key, b"content"))
    assert not public.has_signed(b"content", b"")
    assert not public.has_signed(b"content", sign(make_key(kind), b"content"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_called_by_the_sha256_of_its_subject_public_key_info(kind: str, tmp_path: Path):
    key = make_key(kind)
    public = read_public_key(write_public(tmp_path / "key.pub", key))
    assert public.content == der(key)
    assert public.key_id == hashlib.sha256(der(key)).hexdigest() == id_of(key)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
@pytest.mark.parametrize("arguments", [("ed25519",), ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")])
def test_what_openssl_makes_is_read_and_openssl_checks_what_is_signed(arguments: tuple[str, ...], tmp_path: Path):
    def openssl(*words: str) -> bytes:
        return subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True).stdout

    openssl("genpkey", "-algorithm", *arguments, "-out", "lineal.key")
    openssl("pkey", "-in", "lineal.key", "-pubout", "-out", "lineal.pub")
    private = read_private_key(tmp_path / "lineal.key", no_password)
    content = openssl("pkey", "-pubin", "-in", "lineal.pub", "-outform", "DER")
    assert (
        private.public.key_id == read_public_key(tmp_path / "lineal.pub").key_id == hashlib.sha256(content).hexdigest()
    )
    (tmp_path / "content").write_bytes(b"content")
    (tmp_path / "sig").write_bytes(private.sign(b"content"))
    raw = ("-rawin",) if arguments[0] == "ed25519" else ("-rawin", "-digest", "sha256")
    checked = openssl("pkeyutl", "-verify", "-pubin", "-inkey", "lineal.pub", *raw, "-in", "content", "-sigfile", "sig")
    assert b"Signature Verified Successfully" in checked


def test_an_encrypted_key_opens_with_its_password_alone(tmp_path: Path):
    key = make_key("ed25519")
    path = write_private(tmp_path / "key.pem", key, "secret")
    assert read_private_key(path, lambda: "secret").public.key_id == id_of(key)
    for password in ("wrong", ""):
        with pytest.raises(UsageError, match=r"key\.pem: the password does not open this key"):
            read_private_key(path, lambda password=password: password)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (make_key("p384"), "a key on the curve secp384r1"),
        (make_key("k256"), "a key on the curve secp256k1"),
        (rsa.generate_private_key(65537, 2048), "a key of the kind RSA"),
    ],
)
def test_keys_of_other_kinds_are_refused_by_name(key: Any, said: str, tmp_path: Path):
    for read in (
        lambda: read_private_key(write_private(tmp_path / "k", key), no_password),
        lambda: read_public_key(write_public(tmp_path / "k", key)),
        lambda: public_key(der(key)),
    ):
        with pytest.raises(UsageError, match=f"{said}; an Ed25519 or P-256 key is needed"):
            read()


def test_a_private_key_is_no_public_one_and_the_other_way_round(tmp_path: Path):
    key = make_key("ed25519")
    private, public = write_private(tmp_path / "key.pem", key), write_public(tmp_path / "key.pub", key)
    encrypted = write_private(tmp_path / "encrypted.pem", key, "secret")
    for path in (private, encrypted):
        with pytest.raises(UsageError, match="a private key; give the public one: openssl pkey -in"):
            read_public_key(path)
    with pytest.raises(UsageError, match=r"key\.pub: no private key in PEM"):
        read_private_key(public, no_password)


def test_files_that_hold_no_key_are_refused_in_a_line(tmp_path: Path):
    path = tmp_path / "key"
    pem = write_public(tmp_path / "one", make_key("p256")).read_text()
    for content, said in (
        ("", "0 public keys in PEM"),
        (pem + pem, "2 public keys in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n", "0 public keys"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "cannot be read as a public key"),
    ):
        path.write_text(content)
        with pytest.raises(UsageError, match=said) as raised:
            read_public_key(path)
        assert len(str(raised.value).splitlines()) == 1
    path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(UsageError, match="cannot be read as a private key"):
        read_private_key(path, no_password)
    path.write_bytes(bytes(1 << 20))
    with pytest.raises(CheckpointError, match="larger than 65,536 bytes"):
        read_public_key(path)
    with pytest.raises(CheckpointError, match="no such file"):
        read_public_key(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="not a file"):
        read_private_key(tmp_path, no_password)


def test_the_extra_is_asked_for_by_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(signing_keys, "find_spec", lambda package: None if package == "cryptography" else object())
    with pytest.raises(MissingExtra, match=r"checking signatures needs the extra 'sign': pip install 'lineal\[sign\]'"):
        read_public_keys([tmp_path / "key.pub"])
    assert read_public_keys([]) == ()
