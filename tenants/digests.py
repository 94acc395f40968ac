"""Keyed digests of secrets: to find a flow by an API key, and to show a fingerprint.

The digest key is random, made once, and kept in the database sealed under the master
key, so that neither a copy of the database nor the rotation of the master key changes or
reveals anything.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache

from django.db import IntegrityError, connection, transaction

from crypto_schemes.ciphers import mac
from tenants import at_rest
from tenants.models import InternalSecret

_SIZE = 32
#: By the secret itself, so that nothing stays of one that is read anew.
_under = lru_cache(maxsize=4)(mac.under)
_lock = threading.Lock()
_cache: dict[str, bytes] = {}
#: Made here in a transaction that may yet be undone: to be read again until it is not.
_uncertain: set[str] = set()


def internal_secret(name: str) -> bytes:
    """Return the product's own secret ``name`` (32 bytes), made at its first use.

    Raises AtRestError when the stored one cannot be opened.
    """
    known = _cache.get(name)
    if known is not None:
        return known
    with _lock:
        if name not in _cache:
            secret = _load_or_make(name)
            if connection.in_atomic_block and name in _uncertain:
                return secret
            _uncertain.discard(name)
            _cache[name] = secret
        return _cache[name]


def forget_cached() -> None:
    """Drop what this process remembers (another database is in use)."""
    with _lock:
        _cache.clear()
        _uncertain.clear()


def _load_or_make(name: str) -> bytes:
    row = InternalSecret.objects.filter(name=name).first()
    if row is None:
        _uncertain.add(name)
        try:
            with transaction.atomic():
                row = InternalSecret(name=name)
                row.sealed = at_rest.seal(os.urandom(_SIZE), row.at_rest_context)
                row.save(force_insert=True)
        except IntegrityError:  # another process was first
            row = InternalSecret.objects.get(name=name)
    return at_rest.open_sealed(row.sealed, row.at_rest_context)


def lookup_digest(scheme: str, purpose: str, secret: str) -> str:
    """Return the 64 hex digits under which a locating secret is indexed."""
    message = f"{scheme}|{purpose}|{secret}".encode("utf-8", "surrogatepass")
    return _under(internal_secret("lookup"))(message).hex()


def fingerprint(purpose: str, secret: bytes) -> str:
    """Return the 64 hex digits by which people tell symmetric secrets apart."""
    return mac.sha256(internal_secret("fingerprint"), purpose.encode() + b"|" + secret).hex()
