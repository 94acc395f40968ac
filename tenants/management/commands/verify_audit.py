"""Look at the whole audit trail and name whatever is not as it was written."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants import audit_checkpoint
from tenants.at_rest import AtRestError
from tenants.audit_checkpoint import CheckpointError
from tenants.audit_verification import verify


class Command(BaseCommand):
    """``manage.py verify_audit``: fails unless the trail is whole."""

    help = (
        "Check the audit trail: every entry there, in its place, as it was written. Names each "
        "that is not. Runs beside the product and changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--checkpoint",
            type=Path,
            metavar="PATH",
            help="Compare with what manage.py audit_checkpoint printed before.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, checkpoint: Path | None = None, **given: Any) -> None:
        """Verify and report. Raises CommandError where anything is wrong."""
        try:
            found = verify()
            if checkpoint is not None:
                more = audit_checkpoint.compare(checkpoint.read_text(encoding="utf-8"))
                found = replace(found, faults=found.faults + more)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{checkpoint} cannot be read ({type(error).__name__}).") from None
        except CheckpointError as error:
            raise CommandError(f"{checkpoint}: {error}") from None
        except AtRestError as error:
            raise CommandError(f"The secret of the audit trail cannot be read: {error}") from None
        if given["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        else:
            for fault in found.faults:
                self.stdout.write(f"{fault.kind}: {fault.what}")
        if found.faults:
            raise CommandError(f"The audit trail is not whole: {len(found.faults)} faults.")
        if not given["json"]:
            self.stdout.write(f"{found.length} entries, all as they were written: {found.digest}")
