"""RSA keys that cost nothing: the committed test keys stand in for fresh ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa

VECTORS = Path(__file__).resolve().parent.parent / "vectors"


@cache
def committed_rsa_key(bits: int) -> RSAPrivateKey:
    """Return the committed key of 2048 or 4096 bits, or a generated one of another size."""
    if bits == 4096:
        return rsa.load_private_pem((VECTORS / "rsa_4096.pem").read_text())
    if bits == 2048:
        vectors = json.loads((VECTORS / "whatsapp_flows.json").read_text())
        return rsa.load_private_pem(vectors["private_key_pem"])
    return rsa.generate(bits)


def use_committed_rsa_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the first key of each size be a committed one; later ones (rotation) are generated."""
    given: set[int] = set()

    def generate(bits: int) -> RSAPrivateKey:
        if bits in given and bits <= 2048:
            return _generate(bits)
        given.add(bits)
        return committed_rsa_key(bits)

    _generate = rsa.generate
    monkeypatch.setattr("crypto_schemes.ciphers.rsa.generate", generate)
