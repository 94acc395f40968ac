"""Known answers: every step of the cipher, both directions, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.kairos import SCHEME, decrypt_value, encrypt_value, read_envelope
from crypto_schemes.kairos.envelope import aes_key
from tests.crypto_schemes.kairos_flow import FLOW, NOW, OPTIONS, envelope, partner, server, wrapped

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "kairos.json").read_text(encoding="utf-8")
)
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=[v["aes_key"] for v in VECTORS])


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 4


@every_vector
def test_key_derivation(vector: dict[str, Any]) -> None:
    encoded = base64_text.encode(vector["aes_key"].encode())
    assert encoded == vector["aes_key_base64"]
    assert aes_key(encoded.encode()).hex() == vector["aes_128_key_hex"]


@every_vector
def test_sealing(vector: dict[str, Any]) -> None:
    raw = vector["request_json"].encode()
    assert base64_text.encode(raw) == vector["request_base64"]
    assert encrypt_value(raw, vector["aes_key"]) == vector["request_encrypted_value"]


@every_vector
def test_opening_with_the_key_string(vector: dict[str, Any]) -> None:
    opened = decrypt_value(vector["request_encrypted_value"], vector["aes_key"])
    assert opened == vector["request_json"].encode()


@every_vector
@pytest.mark.parametrize("folded", [False, True], ids=["one line", "folded at 76"])
def test_opening_on_the_server(
    vector: dict[str, Any], folded: bool, rsa_4096: RSAPrivateKey
) -> None:
    value = vector["request_encrypted_value"]
    key = wrapped(rsa_4096, vector["aes_key_base64"].encode())
    if folded:
        value, key = (
            "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\r\n"
            for text in (value, key)
        )
    opened = SCHEME.open_request(
        envelope(value=value, wrapped=key), server(rsa_4096), OPTIONS, now=NOW
    )
    assert opened.raw == vector["request_json"].encode()
    assert opened.once == opened.raw
    assert opened.payload == json.loads(vector["request_json"])
    assert opened.context == FLOW


@every_vector
def test_sealing_as_a_partner(vector: dict[str, Any], rsa_4096: RSAPrivateKey) -> None:
    raw = vector["request_json"].encode()
    sealed = SCHEME.seal_text(raw, vector["aes_key"], partner(rsa_4096), OPTIONS)
    assert sealed.encrypted_value == vector["request_encrypted_value"]
    assert sealed.wrapped_key is not None
    assert len(base64_text.decode(sealed.wrapped_key)) == 512
    assert read_envelope(sealed.as_body()) == sealed
    members = ["requestEncryptedValue", "requestDigitalSignatureValue", "flow-id"]
    assert list(json.loads(sealed.as_body())) == members


@every_vector
def test_the_helper_seals_the_same(vector: dict[str, Any], rsa_4096: RSAPrivateKey) -> None:
    reply = SCHEME.encrypt_data(
        vector["request_base64"], vector["aes_key"], partner(rsa_4096), OPTIONS
    )
    assert list(reply) == ["flow-id", "requestEncryptedValue", "requestDigitalSignatureValue"]
    assert reply["flow-id"] == FLOW
    assert reply["requestEncryptedValue"] == vector["request_encrypted_value"]
