"""The known answers, byte for byte, alone and through a whole request."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa
from crypto_schemes.flynn import SCHEME, Mode, Session
from crypto_schemes.flynn.session import read_rek, write_rek
from tests.crypto_schemes.conftest import VECTORS
from tests.crypto_schemes.flynn_partner import NOW, OPTIONS, partner, request, server, token, wrap

CASES: list[dict[str, str]] = json.loads((VECTORS / "flynn.json").read_text("utf-8"))
each = pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['mode']}-{len(case['rek_hex'])}" for case in CASES]
)


def session_of(case: dict[str, str]) -> Session:
    return Session(
        bytes.fromhex(case["rek_hex"]), Mode(case["mode"]), bytes.fromhex(case.get("iv_hex", ""))
    )


@each
def test_a_value_is_sealed_byte_for_byte(case: dict[str, str]) -> None:
    assert session_of(case).seal(case["password"]) == case["value"]


@each
def test_a_value_opens(case: dict[str, str]) -> None:
    assert session_of(case).open(case["value"]) == case["password"]


@each
def test_a_request_of_these_parts_opens(case: dict[str, str], rsa_2048: RSAPrivateKey) -> None:
    headers: dict[str, Any] = {
        "rek__s": wrap(rsa_2048, case["rek_hex"].encode()),
        "irp_pwd__s": case["value"],
        "aes_encryption_mode": case["mode"],
    }
    if "iv_hex" in case:
        headers["iv__s"] = wrap(rsa_2048, bytes.fromhex(case["iv_hex"]))
    opened = SCHEME.open_request(request(**headers), server(rsa_2048), OPTIONS, now=NOW)
    assert opened.payload["sensitive"] == {"irp-pwd": case["password"]}


@each
def test_the_client_side_makes_these_parts(case: dict[str, str], rsa_2048: RSAPrivateKey) -> None:
    sealed = SCHEME.seal_request(
        {"sensitive": {"irp-pwd": case["password"]}},
        partner(rsa_2048),
        OPTIONS,
        now=NOW,
        token=token(),
        session=session_of(case),
    )
    assert sealed.headers["x-flynn-s-irp-pwd"] == case["value"]
    assert sealed.headers["x-flynn-n-aes-encryption-mode"] == case["mode"]
    held = {
        name: rsa.decrypt(rsa_2048, _bytes(sealed.headers[f"x-flynn-s-{name}"]), "pkcs1v15")
        for name in ("rek", "iv")
        if f"x-flynn-s-{name}" in sealed.headers
    }
    expected = {"rek": case["rek_hex"].encode()}
    if "iv_hex" in case:
        expected["iv"] = bytes.fromhex(case["iv_hex"])
    assert held == expected


@each
def test_the_letter_case_of_a_hex_rek_is_free(case: dict[str, str]) -> None:
    key = bytes.fromhex(case["rek_hex"])
    assert write_rek(key, "hex") == case["rek_hex"].encode()
    assert read_rek(case["rek_hex"].upper().encode(), "hex") == key


def _bytes(header: str) -> bytes:
    return base64.b64decode(header, validate=True)
