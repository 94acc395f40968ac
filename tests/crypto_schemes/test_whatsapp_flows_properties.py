"""What holds for every payload, every changed byte and every stranger's input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.errors import OpenError, SchemeError, SignatureError
from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows import SCHEME
from tests.crypto_schemes.strategies import json_values
from tests.crypto_schemes.whatsapp_partner import OPTIONS, credentials, signed, wire
from tests.support.examples import examples

SHARED = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MEMBERS = ("encrypted_flow_data", "encrypted_aes_key", "initial_vector")
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: A payload may be any JSON, but this member of an object is a signature to check.
PAYLOADS = json_values().filter(
    lambda value: not (isinstance(value, dict) and "flow_token_signature" in value)
)


@SHARED
@given(asked=PAYLOADS, answered=json_values())
def test_sealing_and_opening_is_the_identity(
    asked: JSONValue, answered: JSONValue, rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    sent = SCHEME.seal_request(asked, owner, OPTIONS, now=0)
    opened = SCHEME.open_request(sent, owner, OPTIONS, now=0)
    assert opened.payload == asked
    assert json.loads(opened.raw) == asked
    reply = SCHEME.seal_reply(answered, opened, owner, OPTIONS, now=0)
    assert SCHEME.open_reply(reply, sent, owner, OPTIONS, now=0) == answered


@SHARED
@given(data=st.data())
def test_a_changed_byte_of_a_request_fails(data: st.DataObject, rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048)
    sent = SCHEME.seal_request({"version": "3.0", "action": "ping"}, owner, OPTIONS, now=0)
    name = "x-hub-signature-256"
    where = data.draw(st.sampled_from(["body", "header"]))
    original = sent.body if where == "body" else sent.headers[name].encode()
    # Which slashes are escaped differs from run to run, and with it the length.
    changed = bytearray(original)
    changed[data.draw(st.integers(0, 2**20)) % len(changed)] ^= data.draw(st.integers(1, 255))
    body = bytes(changed) if where == "body" else sent.body
    header = sent.headers[name] if where == "body" else changed.decode("latin-1")
    with pytest.raises(SignatureError) as caught:
        SCHEME.open_request(SealedRequest(body, {name: header}), owner, OPTIONS, now=0)
    assert caught.value.code == "bad_signature"


@SHARED
@given(data=st.data(), member=st.sampled_from(MEMBERS))
def test_a_changed_byte_under_a_right_signature_fails(
    data: st.DataObject, member: str, rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    outer = wire(rsa_2048, b'{"version":"3.0","action":"ping"}')
    text = bytearray(outer[member].encode())
    # The last characters carry bits base64 leaves unused; the bytes inside are what counts.
    position = data.draw(st.integers(0, len(text) - 5))
    shift = data.draw(st.integers(1, 63))
    text[position] = ALPHABET[(ALPHABET.index(text[position]) + shift) % 64]
    body = json.dumps(outer | {member: text.decode()}).encode()
    with pytest.raises(OpenError):
        SCHEME.open_request(signed(body), owner, OPTIONS, now=0)


@SHARED
@given(data=st.data())
def test_a_changed_byte_of_a_reply_fails(data: st.DataObject, rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048)
    sent = SCHEME.seal_request({"action": "ping"}, owner, OPTIONS, now=0)
    opened = SCHEME.open_request(sent, owner, OPTIONS, now=0)
    filler = "x" * data.draw(st.integers(0, 2))
    reply = SCHEME.seal_reply({"screen": filler}, opened, owner, OPTIONS, now=0)
    changed = bytearray(reply.body)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(OpenError):
        SCHEME.open_reply(SealedReply(bytes(changed), "text/plain"), sent, owner, OPTIONS, now=0)


@SHARED
@given(
    body=st.binary(max_size=200) | json_values().map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["x-hub-signature-256", "content-type"]) | st.text(max_size=10),
        st.text(st.characters(), max_size=80),
        max_size=3,
    ),
    sign=st.booleans(),
)
def test_no_request_raises_anything_but_the_schemes_errors(
    body: bytes, headers: dict[str, str], sign: bool, rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    request = signed(body) if sign else SealedRequest(body, headers)
    with pytest.raises(OpenError if sign else SignatureError):
        SCHEME.open_request(request, owner, OPTIONS, now=0)


@SHARED
@given(
    members=st.dictionaries(
        st.sampled_from(MEMBERS),
        json_values(max_leaves=4) | st.text("ABCxyz019+/=\\- \n\x00é", max_size=400),
        max_size=3,
    )
)
def test_no_member_raises_anything_but_the_schemes_errors(
    members: dict[str, Any], rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    body = json.dumps(wire(rsa_2048, b"{}") | members).encode()
    try:
        SCHEME.open_request(signed(body), owner, OPTIONS, now=0)
    except OpenError:
        assert members
    else:
        assert not members


@SHARED
@given(
    body=st.binary(max_size=120),
    content_type=st.sampled_from(["text/plain", "application/json", "", "x"]),
    plain=st.booleans(),
)
def test_no_reply_or_callback_raises_anything_but_the_schemes_errors(
    body: bytes, content_type: str, plain: bool, rsa_2048: RSAPrivateKey
) -> None:
    owner = credentials(rsa_2048)
    options = OPTIONS.model_copy(update={"error_427_body": "plain" if plain else "sealed"})
    sent = SCHEME.seal_request({}, owner, OPTIONS, now=0)
    for context in (sent, SealedRequest(b"")):
        with pytest.raises(SchemeError):
            SCHEME.open_reply(SealedReply(body, content_type), context, owner, options, now=0)
    try:
        value = SCHEME.open_callback(body, {}, owner, options, now=0)
    except SchemeError:
        pass
    else:
        assert value == json.loads(body)


def test_a_reply_needs_the_session_of_its_request(rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048)
    for context in (None, b"", object()):
        opened = OpenedRequest(payload={}, raw=b"{}", context=context)
        with pytest.raises(SchemeError) as caught:
            SCHEME.seal_reply({}, opened, owner, OPTIONS, now=0)
        assert caught.value.code == "cannot_seal"
