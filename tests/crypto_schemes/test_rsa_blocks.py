"""Which blocks an RSA key works on: as long as its modulus, and below it."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError
from crypto_schemes.keys import KeyVersion


@pytest.mark.parametrize("off", [-(2**2000), -256, -1, 0, 1, 256])
def test_the_edge_is_the_modulus(rsa_2048: RSAPrivateKey, off: int) -> None:
    modulus = rsa_2048.public_key().public_numbers().n
    block = (modulus + off).to_bytes(256)
    assert rsa.block_in_range(rsa.modulus(rsa_2048), block) is (off < 0)
    assert not rsa.block_in_range(rsa.modulus(rsa_2048), b"\0" + block)
    assert not rsa.block_in_range(rsa.modulus(rsa_2048), block[:-1])


@given(block=st.binary(min_size=255, max_size=257))
def test_any_block_is_taken_for_the_number_it_is(rsa_2048: RSAPrivateKey, block: bytes) -> None:
    number = int.from_bytes(block)
    fits = len(block) == 256 and number < rsa_2048.public_key().public_numbers().n
    assert rsa.block_in_range(rsa.modulus(rsa_2048), block) is fits


def test_a_version_knows_the_modulus_of_its_own_key(
    rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    for key in (rsa_2048, rsa_4096):
        version = KeyVersion("id", "whatsapp_rsa", 1, key)
        for _ in range(2):
            assert version.rsa_modulus == rsa.modulus(key)
            assert len(version.rsa_modulus) == key.key_size // 8
        # What it worked out says nothing of who it is.
        assert version == KeyVersion("id", "whatsapp_rsa", 1, key)
        assert version.rsa_modulus.hex() not in repr(version)


def test_what_is_no_private_key_has_no_modulus(rsa_2048: RSAPrivateKey) -> None:
    for material in ("token", b"key", rsa_2048.public_key()):
        with pytest.raises(KeyMaterialError):
            _ = KeyVersion("id", "whatsapp_rsa", 1, material).rsa_modulus
