"""A signed statement of how long the audit trail is and where it ends, to be kept elsewhere.

A trail that was cut off at the end, or set back with a backup, is whole in itself; compared with a
checkpoint taken before, it is not. The signature is Ed25519 over the JSON of the other members,
sorted by name, without white space, in ASCII; the public key is in the checkpoint, so that others
can check it without this installation.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from django.utils import timezone

from crypto_schemes.ciphers import ed25519, mac
from tenants import digests
from tenants.audit_verification import Fault, Verification
from tenants.models import AuditEntry

_FORMAT: Final = "sealgate-audit-checkpoint-1"
_SECRET: Final = "checkpoint"


class CheckpointError(ValueError):
    """The text is not a checkpoint that this installation signed."""


def make(verified: Verification) -> dict[str, Any]:
    """Return the checkpoint of a trail that was just verified. Raises AtRestError."""
    seed = digests.internal_secret(_SECRET)
    checkpoint = {
        "format": _FORMAT,
        "length": verified.length,
        "digest": verified.digest,
        "at": timezone.now().isoformat(timespec="seconds"),
        "public_key_pem": ed25519.public_pem(seed),
    }
    signature = ed25519.sign(seed, _signed(checkpoint))
    return checkpoint | {"signature": base64.b64encode(signature).decode("ascii")}


def compare(text: str) -> tuple[Fault, ...]:
    """Return what is wrong with the trail in the light of a checkpoint taken before.

    Raises CheckpointError, and AtRestError when the signing secret cannot be read.
    """
    length, digest = _read(text)
    if length == 0:
        return ()
    entry = AuditEntry.objects.filter(pk=length).first()
    if entry is None:
        what = f"Entry {length} was there when the checkpoint was made, and is missing."
        return (Fault("cut", length, what),)
    if not mac.equal(entry.digest, digest):
        what = f"Entry {length} is another one than when the checkpoint was made."
        return (Fault("replaced", length, what),)
    return ()


def _read(text: str) -> tuple[int, str]:
    try:
        checkpoint = json.loads(text)
        signature = base64.b64decode(checkpoint.pop("signature"), validate=True)
        signed = _signed(checkpoint)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise CheckpointError("This is not a checkpoint of an audit trail.") from None
    if not ed25519.is_signed(digests.internal_secret(_SECRET), signed, signature):
        raise CheckpointError("The checkpoint was changed, or is of another installation.")
    return checkpoint["length"], checkpoint["digest"]


def _signed(checkpoint: dict[str, Any]) -> bytes:
    return json.dumps(checkpoint, sort_keys=True, separators=(",", ":")).encode("ascii")
