"""Addresses of flows, made where the administrator gives none."""

from __future__ import annotations

import secrets
import string
import uuid

from crypto_schemes import registry

_ALPHABET = string.ascii_letters + string.digits


def make_address(scheme: str) -> str:
    """Return a fresh address: what requests carry, in the contract's own form.

    Where the address itself stands in the URL it has 190 bits of chance, so that it cannot be
    guessed.
    """
    located_by = registry.get(scheme).located_by if scheme in registry.NAMES else None
    if located_by == "address":
        return _random(32)
    if located_by == "org_id":
        return str(uuid.uuid4())
    return _random(8)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
