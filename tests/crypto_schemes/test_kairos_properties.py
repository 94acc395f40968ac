"""What holds for any input: what is sealed opens to itself, and garbage raises one family."""

from __future__ import annotations

import contextlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes.ciphers.rsa import RSAPadding
from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.errors import OpenError, SchemeError
from crypto_schemes.json_text import JSONValue
from crypto_schemes.kairos import SCHEME, KairosOptions, authenticate, read_plain
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
from tests.crypto_schemes.strategies import json_values
from tests.support.examples import examples

moderate = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@moderate
@given(payload=json_values(), padding=st.sampled_from(RSAPadding))
def test_seal_then_open_is_the_identity(
    payload: JSONValue, padding: RSAPadding, rsa_2048: RSAPrivateKey
) -> None:
    options = KairosOptions(rsa_padding=padding)
    sealed = SCHEME.seal_request(payload, partner(rsa_2048), options, now=NOW)
    opened = SCHEME.open_request(sealed, server(rsa_2048), options, now=NOW)
    assert opened.payload == payload
    assert json.loads(opened.raw) == payload
    assert [version.id for version in opened.opened_by] == ["rsa-1"]


@moderate
@given(payload=json_values())
def test_replies_and_callbacks_are_the_plain_value(
    payload: JSONValue, rsa_2048: RSAPrivateKey
) -> None:
    credentials = server(rsa_2048)
    sent = SealedRequest(body=b"{}")
    opened = OpenedRequest(payload=None, raw=b"null")
    reply = SCHEME.seal_reply(payload, opened, credentials, OPTIONS, now=NOW)
    assert json.loads(reply.body) == payload
    assert reply.content_type == "application/json"
    assert SCHEME.open_reply(reply, sent, credentials, OPTIONS, now=NOW) == payload
    callback = SCHEME.seal_callback(payload, credentials, OPTIONS, now=NOW)
    assert json.loads(callback.body) == payload
    assert dict(callback.headers) == {}
    assert SCHEME.open_callback(callback.body, {}, credentials, OPTIONS, now=NOW) == payload


@moderate
@given(body=st.binary(max_size=400) | json_values().map(lambda v: json.dumps(v).encode()))
def test_any_body_raises_only_scheme_errors(body: bytes, rsa_2048: RSAPrivateKey) -> None:
    credentials = server(rsa_2048)
    sent = SealedRequest(body=b"{}")
    with contextlib.suppress(SchemeError):
        SCHEME.open_request(SealedRequest(body=body), credentials, OPTIONS, now=NOW)
    with contextlib.suppress(SchemeError):
        authenticate(read_plain(body), credentials)
    with contextlib.suppress(SchemeError):
        SCHEME.open_reply(SealedReply(body=body), sent, credentials, OPTIONS, now=NOW)


@moderate
@given(
    value=st.text(max_size=80) | st.binary(max_size=80).map(lambda b: b.hex()) | json_values(3),
    key=st.text(max_size=80) | json_values(3),
    headers=st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
)
def test_any_member_raises_only_scheme_errors(
    value: JSONValue, key: JSONValue, headers: dict[str, str], rsa_2048: RSAPrivateKey
) -> None:
    request = SealedRequest(body=envelope(value=value, wrapped=key).body, headers=headers)
    with pytest.raises(SchemeError):
        SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW)


@moderate
@given(text=st.binary(max_size=200))
def test_any_text_inside_opens_to_json_or_not_at_all(text: bytes, rsa_2048: RSAPrivateKey) -> None:
    request = envelope(value=value_of(text), wrapped=wrapped(rsa_2048))
    with contextlib.suppress(OpenError):
        opened = SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW)
        assert opened.payload == json.loads(opened.raw)


@moderate
@given(body=st.binary(max_size=100), headers=st.dictionaries(st.text(), st.text(), max_size=3))
@pytest.mark.parametrize("username", ["", "kairos"])
def test_any_callback_raises_only_scheme_errors(
    username: str, body: bytes, headers: dict[str, str], rsa_2048: RSAPrivateKey
) -> None:
    options = KairosOptions(callback_username=username)
    with contextlib.suppress(SchemeError):
        SCHEME.open_callback(body, headers, server(rsa_2048), options, now=NOW)


@moderate
@given(data=st.data())
def test_a_changed_byte_fails_as_a_scheme_error_or_leaves_json(
    data: st.DataObject, rsa_2048: RSAPrivateKey
) -> None:
    """ECB carries no integrity: what a change does to the text is not known, only its kind."""
    raw = json.dumps({"flow-id": FLOW, "calls": ["x" * 30]}).encode()
    body = bytearray(envelope(value=good_value(raw), wrapped=wrapped(rsa_2048)).body)
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(SchemeError):
        opened = SCHEME.open_request(
            SealedRequest(body=bytes(body)), server(rsa_2048), OPTIONS, now=NOW
        )
        assert opened.payload == json.loads(opened.raw)


def test_each_sealing_uses_another_key_string(rsa_2048: RSAPrivateKey) -> None:
    bodies = {
        SCHEME.seal_request({"a": 1}, partner(rsa_2048), OPTIONS, now=NOW).body for _ in range(5)
    }
    values = {json.loads(body)["requestEncryptedValue"] for body in bodies}
    assert len(values) == 5


def test_no_secret_in_repr(rsa_2048: RSAPrivateKey) -> None:
    raw = b'{"secret":"s3cr3t-plain"}'
    request = envelope(value=good_value(raw), wrapped=wrapped(rsa_2048))
    opened = SCHEME.open_request(request, server(rsa_2048), OPTIONS, now=NOW)
    shown = f"{request!r} {opened!r} {server(rsa_2048)!r}"
    for secret in ("s3cr3t", "5e5e", KEY_STRING, "PRIVATE"):
        assert secret not in shown
