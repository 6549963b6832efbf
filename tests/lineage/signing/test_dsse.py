"""DSSE envelopes against the specification: https://github.com/secure-systems-lab/dsse, protocol 1.0.0."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lineal.lineage.signing.dsse import (
    Envelope,
    EnvelopeSignature,
    pre_authentication_encoding,
    read_envelope,
    strict_json,
)
from lineal.lineage.signing.keys import public_key

PUBLISHED = """
{"payload": "aGVsbG8gd29ybGQ=",
 "payloadType": "http://example.com/HelloWorld",
 "signatures": [{"sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="}]}
"""
"""The example of the protocol's page, signed with P-256; r and s stand side by side there, not in DER."""
X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820

ENVELOPE = {"payload": "aGk=", "payloadType": "t", "signatures": [{"keyid": "k", "sig": "c2ln"}]}


def test_the_published_example_verifies():
    found = read_envelope(PUBLISHED)
    assert (found.payload, found.payload_type) == (b"hello world", "http://example.com/HelloWorld")
    assert found.signed_bytes == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    (signature,) = found.signatures
    assert (signature.key_id, signature.public_key, len(signature.content)) == ("", None, 64)
    numbers = ec.EllipticCurvePublicNumbers(X, Y, ec.SECP256R1())
    key = public_key(numbers.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    r, s = (int.from_bytes(half, "big") for half in (signature.content[:32], signature.content[32:]))
    assert key.has_signed(found.signed_bytes, utils.encode_dss_signature(r, s))
    assert not key.has_signed(found.signed_bytes, utils.encode_dss_signature(r, s + 1))
    assert not key.has_signed(found.signed_bytes, signature.content)  # no DER


def test_lengths_are_of_bytes():
    assert pre_authentication_encoding("exämple", b"") == "DSSEv1 8 exämple 0 ".encode()


def test_an_envelope_comes_back_as_it_was_written():
    written = Envelope("a/b", b"\xff\x00payload", (EnvelopeSignature(b"s", "k", b"p"), EnvelopeSignature(b"t", "l")))
    assert read_envelope(written.line()) == written
    assert "\n" not in written.line()


def test_both_base64_alphabets_are_read():
    content = b"\xfb\xff\xbf\x3e\x3f"
    for encoded in (base64.b64encode(content), base64.urlsafe_b64encode(content)):
        assert read_envelope(json.dumps({**ENVELOPE, "payload": encoded.decode()})).payload == content


def test_fields_that_nobody_knows_are_ignored():
    signatures = [{"sig": "c2ln", "keyid": None, "cert": "x"}]
    found = read_envelope(json.dumps({**ENVELOPE, "more": 1, "signatures": signatures}))
    assert found.signatures == (EnvelopeSignature(b"sig"),)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('{"payload": "aGk=", "payload": "aGo=", "payloadType": "t", "signatures": [{"sig": ""}]}', "'payload' stands"),
        ('{"payload": "", "payloadType": "t", "signatures": [{"sig": "", "sig": "c2ln"}]}', "'sig' stands there twice"),
        ("[]", "it must be a mapping with payload"),
        ("nonsense", "Expecting value"),
        ('{"payload": NaN}', "NaN is not JSON"),
        (json.dumps({**ENVELOPE, "signatures": []}), "signatures must be a list"),
        (json.dumps({**ENVELOPE, "signatures": 65 * [{"sig": ""}]}), "of at least 1 and at most 64"),
        (json.dumps({**ENVELOPE, "signatures": [{"keyid": "k"}]}), "the field 'signatures.0.sig' is needed"),
        (json.dumps({**ENVELOPE, "payload": "a*"}), "payload: not base64"),
        (json.dumps({**ENVELOPE, "payload": "é"}), "payload: not base64"),
        (json.dumps({**ENVELOPE, "payload": 5}), "payload must be text"),
        (json.dumps({**ENVELOPE, "payloadType": None}), "payloadType must be text"),
        (100_000 * "[", "nested too deeply"),
        (b"\xff{}", "utf-8"),
    ],
)
def test_what_is_no_envelope_is_said_in_a_line(written: str | bytes, said: str):
    with pytest.raises(ValueError) as raised:
        read_envelope(written)
    assert said in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["payload", "payloadType", "signatures", "sig", "keyid", "publicKey"]), inner
            )
        ),
    )
)
def test_anything_else_is_a_value_error_and_nothing_worse(value: object):
    try:
        read_envelope(json.dumps(value))
    except ValueError:
        return
    assert strict_json(json.dumps(value)) == value
