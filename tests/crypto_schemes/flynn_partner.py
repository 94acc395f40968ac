"""A Flynn flow and its partner, for the tests."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.flynn import FlynnOptions, Mode, Session
from crypto_schemes.flynn.documents import DOCUMENT_SIGNING
from crypto_schemes.flynn.opening import FLYNN_RSA
from crypto_schemes.flynn.tokens import PASSWORD, PORTAL_PASSWORD, TOKEN_SIGNING, issue
from crypto_schemes.keys import Credentials, KeyVersion, Material

NOW: Final = 1_800_000_000.0
ORG: Final = "3c1f6a52-8a0e-4a7e-9d5b-2f0c4d6e8a10"
OPTIONS: Final = FlynnOptions()
SIGNING_KEY: Final = bytes(range(32))
REK: Final = bytes(range(100, 132))
IV: Final = bytes(range(200, 216))
ECB: Final = Session(REK)
CBC: Final = Session(REK, Mode.CBC, IV)


@cache
def another_2048() -> RSAPrivateKey:
    """Return a key of the usual size that is not the flow's."""
    return rsa.generate(2048)


def versions(purpose: str, *materials: Material) -> tuple[KeyVersion, ...]:
    """Return key versions; the first is the newest and has the highest number."""
    return tuple(
        KeyVersion(f"{purpose}-{number}", purpose, number, material)
        for number, material in zip(range(len(materials), 0, -1), materials, strict=True)
    )


def server(*keys: RSAPrivateKey, signing: tuple[bytes, ...] = (SIGNING_KEY,)) -> Credentials:
    return Credentials(
        identity={"org_id": ORG},
        versions={
            FLYNN_RSA: versions(FLYNN_RSA, *keys),
            TOKEN_SIGNING: versions(TOKEN_SIGNING, *signing),
            DOCUMENT_SIGNING: versions(DOCUMENT_SIGNING, *keys[:1]),
            PASSWORD: versions(PASSWORD, "new-password", "old-password"),
            PORTAL_PASSWORD: versions(PORTAL_PASSWORD, "portal-1"),
        },
    )


def partner(key: RSAPrivateKey) -> Credentials:
    """Return what a partner holds: the public half only."""
    return Credentials(
        identity={"org_id": ORG}, versions={FLYNN_RSA: versions(FLYNN_RSA, key.public_key())}
    )


def token(*orgs: str, now: float = NOW) -> str:
    """Return a token in force for ``orgs``, the flow's own unless given."""
    text, _ = issue("u-1", orgs or (ORG,), server(), OPTIONS, now=now)
    return text


def wrap(key: RSAPrivateKey, text: bytes, padding: str = "pkcs1v15") -> str:
    """Return ``text`` under the public half of ``key``, as a header carries it."""
    return base64_text.encode(rsa.encrypt(key.public_key(), text, padding))


def raw_block(key: RSAPrivateKey, block: bytes) -> str:
    """Return the header of a block whose *padded* RSA plaintext is ``block``."""
    numbers = key.public_key().public_numbers()
    size = (key.key_size + 7) // 8
    cipher = pow(int.from_bytes(block, "big"), numbers.e, numbers.n)
    return base64_text.encode(cipher.to_bytes(size, "big"))


def request(body: bytes = b"", **headers: Any) -> SealedRequest:
    """Return a request by the flow's user; ``irp_pwd__s`` names an S header, else N.

    None drops a header: ``user_token=None``.
    """
    named = {"org_id": ORG, "user_token": token(), **headers}
    return SealedRequest(
        body=body,
        headers={
            ("x-flynn-s-" if name.endswith("__s") else "x-flynn-n-")
            + name.removesuffix("__s").replace("_", "-"): value
            for name, value in named.items()
            if value is not None
        },
    )
