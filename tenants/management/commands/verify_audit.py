"""Look at the whole audit trail and name whatever is not as it was written."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.management import audit_look


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
        found = audit_look.verify(checkpoint)
        if given["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        else:
            for fault in found.faults:
                self.stdout.write(f"{fault.kind}: {fault.what}")
        if found.faults:
            raise CommandError(f"The audit trail is not whole: {len(found.faults)} faults.")
        if not given["json"]:
            self.stdout.write(f"{found.length} entries, all as they were written: {found.digest}")
