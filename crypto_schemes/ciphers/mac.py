"""HMAC-SHA-256 (RFC 2104) and comparison in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

_SHA256 = SHA256()


def sha256(key: bytes, data: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA-256 of ``data``."""
    state = HMAC(key, _SHA256)
    state.update(data)
    return state.finalize()


def under(key: bytes) -> Callable[[bytes], bytes]:
    """Return :func:`sha256` with this ``key``, made ready: for a key with many short texts."""
    ready = HMAC(key, _SHA256)

    def sha256_of(data: bytes) -> bytes:
        state = ready.copy()
        state.update(data)
        return state.finalize()

    return sha256_of


def equal(left: str | bytes, right: str | bytes) -> bool:
    """Return whether both are the same, in time that does not depend on where they differ."""
    left_bytes = left.encode("utf-8", "surrogatepass") if isinstance(left, str) else left
    right_bytes = right.encode("utf-8", "surrogatepass") if isinstance(right, str) else right
    return hmac.compare_digest(left_bytes, right_bytes)


def equal_any(candidates: Sequence[str | bytes], given: str | bytes) -> int | None:
    """Return the index of the first candidate equal to ``given``, or None.

    Looks at every candidate whatever the outcome, so the time says nothing about
    which one fitted.
    """
    found: int | None = None
    for index, candidate in enumerate(candidates):
        if equal(candidate, given) and found is None:
            found = index
    return found
