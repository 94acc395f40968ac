"""A look at the audit trail whose failures are ordinary failures of a command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from django.core.management.base import CommandError

from tenants import audit_checkpoint, audit_verification
from tenants.at_rest import AtRestError
from tenants.audit_checkpoint import CheckpointError
from tenants.audit_verification import Verification


def verify(checkpoint: Path | None) -> Verification:
    """Look at the whole trail, and compare it with a checkpoint where one is given.

    Raises CommandError where that cannot be done.
    """
    try:
        found = audit_verification.verify()
        if checkpoint is not None:
            more = audit_checkpoint.compare(checkpoint.read_text(encoding="utf-8"))
            found = replace(found, faults=found.faults + more)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{checkpoint} cannot be read ({type(error).__name__}).") from None
    except CheckpointError as error:
        raise CommandError(f"{checkpoint}: {error}") from None
    except AtRestError as error:
        raise CommandError(f"The secret of the audit trail cannot be read: {error}") from None
    return found
