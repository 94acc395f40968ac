"""RSA keys that cost nothing: the committed test keys stand in for fresh ones."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa

_generate = rsa.generate
VECTORS = Path(__file__).resolve().parent.parent / "vectors"


@cache
def committed_rsa_key(bits: int) -> RSAPrivateKey:
    """Return the committed key of 2048 or 4096 bits, or a generated one of another size."""
    if bits == 4096:
        return rsa.load_private_pem((VECTORS / "rsa_4096.pem").read_text())
    if bits == 2048:
        vectors = json.loads((VECTORS / "whatsapp_flows.json").read_text())
        return rsa.load_private_pem(vectors["private_key_pem"])
    return _generate(bits)


@cache
def _numbered_key(bits: int, number: int) -> RSAPrivateKey:
    """Return the ``number``-th key of so many bits: 0 is the committed one, others are made once.

    Keys of different numbers differ; of those of 4096 bits there is but one.
    """
    return committed_rsa_key(bits) if number == 0 or bits > 2048 else _generate(bits)


def use_committed_rsa_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the keys that a test makes be the committed one of their size, then those made before.

    Within the test no two of 2048 bits are the same: the next one is the successor in a rotation.
    """
    made: Counter[int] = Counter()

    def generate(bits: int) -> RSAPrivateKey:
        made[bits] += 1
        return _numbered_key(bits, made[bits] - 1)

    monkeypatch.setattr("crypto_schemes.ciphers.rsa.generate", generate)
