"""Each way a request can fail: its error class and its code, nothing else."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers.rsa import RSAPadding
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.errors import (
    AuthenticationError,
    EnvelopeError,
    KeyMaterialError,
    KeyUnavailableError,
    OpenError,
    SchemeError,
    SealError,
)
from crypto_schemes.kairos import (
    RSA_KEY,
    SCHEME,
    KairosOptions,
    decrypt_value,
    read_envelope,
    read_plain,
)
from crypto_schemes.keys import Credentials
from tests.crypto_schemes.kairos_failing import CASES, RAW, failing_requests
from tests.crypto_schemes.kairos_flow import (
    FLOW,
    KEY_STRING,
    NOW,
    OPTIONS,
    envelope,
    good_value,
    partner,
    server,
    value_of,
    wrapped,
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "envelope_json"),
        (b"not json", "envelope_json"),
        (b"\xff\xfe{}", "envelope_json"),
        (b"\xef\xbb\xbf{}", "envelope_json"),
        (b'{"flow-id":"Kx92LmQ7",}', "envelope_json"),
        (b'{"flow-id":"Kx92LmQ7","flow-id":"Kx92LmQ7"}', "envelope_json"),
        (b"[" * 100 + b"]" * 100, "envelope_json"),
        (b'{"flow-id":NaN}', "envelope_json"),
        (b'{"flow-id":"\\ud800"}', "envelope_json"),
        (b"[]", "envelope_shape"),
        (b"null", "envelope_shape"),
        (b'"Kx92LmQ7"', "envelope_shape"),
        (b"{}", "flow_id"),
        (b'{"flow-id":null}', "flow_id"),
        (b'{"flow-id":12345678}', "flow_id"),
        (b'{"flow-id":"Kx92LmQ"}', "flow_id"),
        (b'{"flow-id":"Kx92LmQ78"}', "flow_id"),
        (b'{"flow-id":"Kx92LmQ7\\n"}', "flow_id"),
        (b'{"flow-id":"Kx92Lm\\u00007"}', "flow_id"),
        ('{"flow-id":"Kx92Lm٣7"}'.encode(), "flow_id"),
    ],
)
def test_bad_envelopes(body: bytes, code: str, rsa_2048: RSAPrivateKey) -> None:
    for read in (read_envelope, read_plain):
        with pytest.raises(EnvelopeError) as refused:
            read(body)
        assert refused.value.code == code
    with pytest.raises(EnvelopeError) as refused:
        SCHEME.open_request(SealedRequest(body=body), server(rsa_2048), OPTIONS, now=NOW)
    assert refused.value.code == code


@pytest.mark.parametrize("member", ["value", "wrapped"])
@pytest.mark.parametrize("bad", [None, 1, True, [], {}], ids=repr)
def test_missing_members_are_told_after_the_flow_is_known(
    member: str, bad: object, rsa_2048: RSAPrivateKey
) -> None:
    request = envelope(**{member: bad})
    assert read_envelope(request.body).flow_id == FLOW
    with pytest.raises(EnvelopeError) as refused:
        SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW)
    assert refused.value.code == "envelope_member"


def test_another_flow(rsa_2048: RSAPrivateKey) -> None:
    request = envelope(value=good_value(RAW), wrapped=wrapped(rsa_2048), flow="Kx92LmQ8")
    with pytest.raises(AuthenticationError) as refused:
        SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW)
    assert refused.value.code == "flow_id"


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_open(case: str, rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey) -> None:
    request, codes = failing_requests(rsa_2048, rsa_4096)[case]
    with pytest.raises(OpenError) as refused:
        SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW)
    assert type(refused.value) is OpenError
    assert refused.value.code in codes
    assert (refused.value.what, refused.value.fix) == ("The request cannot be opened.", "")
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("padding", [RSAPadding.OAEP_SHA1, RSAPadding.OAEP_SHA256])
def test_oaep_refuses_another_padding(padding: RSAPadding, rsa_2048: RSAPrivateKey) -> None:
    request = envelope(value=good_value(RAW), wrapped=wrapped(rsa_2048, padding="pkcs1v15"))
    with pytest.raises(OpenError) as refused:
        SCHEME.open_request(request, server(rsa_2048), KairosOptions(rsa_padding=padding), now=NOW)
    assert refused.value.code == "rsa"


def test_no_key_no_opening(rsa_2048: RSAPrivateKey) -> None:
    request = envelope(value=good_value(RAW), wrapped=wrapped(rsa_2048))
    with pytest.raises(KeyUnavailableError):
        SCHEME.open_request(request, server(), OPTIONS, now=NOW)
    with pytest.raises(KeyMaterialError):
        SCHEME.open_request(request, partner(rsa_2048), OPTIONS, now=NOW)


@pytest.mark.parametrize(
    ("identity", "payload", "error"),
    [
        ({}, {}, SealError),
        ({"flow_id": "too-long-id"}, {}, SealError),
        ({"flow_id": FLOW}, object(), SealError),
        ({"flow_id": FLOW}, float("nan"), SealError),
        ({"flow_id": FLOW}, "\ud800", SealError),
    ],
)
def test_what_cannot_be_sealed(
    identity: dict[str, str], payload: object, error: type[SchemeError], rsa_2048: RSAPrivateKey
) -> None:
    credentials = Credentials(identity=identity, versions=partner(rsa_2048).versions)
    with pytest.raises(error):
        SCHEME.seal_request(payload, credentials, OPTIONS, now=NOW)


def test_sealing_without_an_active_key(rsa_2048: RSAPrivateKey) -> None:
    for credentials in (
        Credentials(identity={"flow_id": FLOW}),
        Credentials(
            identity={"flow_id": FLOW},
            versions=partner(rsa_2048).versions,
            sealing=frozenset({"security_id"}),
        ),
    ):
        with pytest.raises(KeyUnavailableError) as refused:
            SCHEME.seal_request({}, credentials, OPTIONS, now=NOW)
        assert RSA_KEY in refused.value.what


@pytest.mark.parametrize(
    "key_string", ["", "k" * 184, "\ud800"], ids=["empty", "long", "surrogate"]
)
def test_key_strings_that_cannot_be_used(key_string: str, rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(SealError) as refused:
        SCHEME.seal_text(b"{}", key_string, partner(rsa_2048), OPTIONS)
    assert refused.value.code == "key_string"


@pytest.mark.parametrize("key_string", ["k", "k" * 183, "clé 🔑"], ids=["short", "long", "unicode"])
def test_key_strings_that_can(key_string: str, rsa_2048: RSAPrivateKey) -> None:
    sealed = SCHEME.seal_text(b'{"a":1}', key_string, partner(rsa_2048), OPTIONS)
    request = SealedRequest(body=sealed.as_body())
    assert SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW).payload == {"a": 1}


@pytest.mark.parametrize(
    "request_value", ["", "e30", "*", "e30=x", base64.b64encode(b"{'a':1}").decode()]
)
def test_the_helper_takes_only_base64_of_json(request_value: str, rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(EnvelopeError) as refused:
        SCHEME.encrypt_data(request_value, KEY_STRING, partner(rsa_2048), OPTIONS)
    assert refused.value.code == "request_value"


@pytest.mark.parametrize(
    "value", ["", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", value_of(b"{}"), value_of(b"")[:-4]]
)
def test_the_tool_for_senders_raises_open_error(value: str) -> None:
    with pytest.raises(OpenError):
        decrypt_value(value, KEY_STRING)


def test_replies_that_are_not_json(rsa_2048: RSAPrivateKey) -> None:
    reply = SCHEME.seal_reply({}, read_plain(b'{"flow-id":"Kx92LmQ7"}'), server(), OPTIONS, now=NOW)
    sent = envelope()
    assert json.loads(reply.body) == {}
    for body in (b"", b"<html>", b"\xff"):
        with pytest.raises(OpenError) as refused:
            SCHEME.open_reply(type(reply)(body=body), sent, server(), OPTIONS, now=NOW)
        assert refused.value.code == "json"
