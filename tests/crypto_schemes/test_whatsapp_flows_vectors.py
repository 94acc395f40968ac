"""Known answers, both directions, byte for byte."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import SignatureError
from crypto_schemes.whatsapp_flows import SCHEME, Session
from tests.crypto_schemes.whatsapp_partner import OPTIONS, VECTORS, app_secret, credentials

EXCHANGES: list[dict[str, Any]] = VECTORS["exchanges"]
IDS = ["ping", "init", "data_exchange"]


def _request(vector: dict[str, Any]) -> SealedRequest:
    return SealedRequest(
        body=vector["raw_body"].encode(),
        headers={"x-hub-signature-256": vector["x_hub_signature_256"]},
        context=Session(bytes.fromhex(vector["aes_key_hex"]), bytes.fromhex(vector["iv_hex"])),
    )


@pytest.mark.parametrize("vector", EXCHANGES, ids=IDS)
def test_the_known_request_opens(vector: dict[str, Any], rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048, secrets=(app_secret(vector["app_secret"]),))
    opened = SCHEME.open_request(_request(vector), owner, OPTIONS, now=0)
    assert opened.raw == vector["request_json"].encode()
    assert opened.payload == json.loads(vector["request_json"])
    assert [version.id for version in opened.opened_by] == ["secret-1", "rsa-1"]
    assert opened.context == _request(vector).context
    assert opened.issued_at is None
    assert opened.once is None


@pytest.mark.parametrize("vector", EXCHANGES, ids=IDS)
def test_the_known_reply_is_sealed(vector: dict[str, Any], rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048, secrets=(app_secret(vector["app_secret"]),))
    opened = SCHEME.open_request(_request(vector), owner, OPTIONS, now=0)
    payload = json.loads(vector["response_json"])
    reply = SCHEME.seal_reply(payload, opened, owner, OPTIONS, now=0)
    assert reply.body == vector["response_text"].encode()
    assert reply.content_type == "text/plain"


@pytest.mark.parametrize("vector", EXCHANGES, ids=IDS)
def test_the_known_reply_opens(vector: dict[str, Any], rsa_2048: RSAPrivateKey) -> None:
    reply = SealedReply(body=vector["response_text"].encode(), content_type="text/plain")
    owner = credentials(rsa_2048)
    value = SCHEME.open_reply(reply, _request(vector), owner, OPTIONS, now=0)
    assert value == json.loads(vector["response_json"])


@pytest.mark.parametrize("vector", EXCHANGES, ids=IDS)
def test_the_client_side_writes_the_known_request(
    vector: dict[str, Any], rsa_2048: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OAEP is randomised: the block is taken from the vector, all else is made anew.
    known = json.loads(vector["raw_body"])
    drawn = iter([bytes.fromhex(vector["aes_key_hex"]), bytes.fromhex(vector["iv_hex"])])
    monkeypatch.setattr(secrets, "token_bytes", lambda _: next(drawn))
    monkeypatch.setattr(rsa, "encrypt", lambda *_: base64_text.decode(known["encrypted_aes_key"]))
    owner = credentials(rsa_2048, secrets=(app_secret(vector["app_secret"]),))
    payload = json.loads(vector["request_json"])
    sent = SCHEME.seal_request(payload, owner, OPTIONS, now=0)
    assert sent.body == vector["raw_body"].encode()
    assert sent.headers["x-hub-signature-256"] == vector["x_hub_signature_256"]


def test_the_signature_covers_the_escaped_slashes(rsa_2048: RSAPrivateKey) -> None:
    vector = EXCHANGES[0]
    assert "\\/" in vector["raw_body"]
    owner = credentials(rsa_2048, secrets=(app_secret(vector["app_secret"]),))
    unescaped = SealedRequest(
        body=vector["raw_body"].replace("\\/", "/").encode(), headers=_request(vector).headers
    )
    with pytest.raises(SignatureError) as caught:
        SCHEME.open_request(unescaped, owner, OPTIONS, now=0)
    assert caught.value.code == "bad_signature"
