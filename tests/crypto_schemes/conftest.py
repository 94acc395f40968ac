"""RSA keys made once and committed: generating a 4096-bit pair takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture(scope="session")
def rsa_4096() -> RSAPrivateKey:
    return rsa.load_private_pem((VECTORS / "rsa_4096.pem").read_bytes())


@pytest.fixture(scope="session")
def rsa_2048() -> RSAPrivateKey:
    vectors = json.loads((VECTORS / "whatsapp_flows.json").read_text("utf-8"))
    return rsa.load_private_pem(vectors["private_key_pem"])
