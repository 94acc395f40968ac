"""Look whether database and master keys belong together and are whole, as after a restore."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from tenants import schema, sealed_verification
from tenants.management import audit_look

#: With the wrong master keys there are as many as there are values.
_MOST_SHOWN: Final = 20


class Command(BaseCommand):
    """``manage.py check_installation``: fails unless everything is there and opens."""

    help = (
        "Check that the tables are of this version, that every secret in the database opens with "
        "the given master keys, and that the audit trail is whole. Changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--checkpoint",
            type=Path,
            metavar="PATH",
            help="Compare the audit trail with what manage.py audit_checkpoint printed before.",
        )

    def handle(self, *args: Any, checkpoint: Path | None = None, **options: Any) -> None:
        """Check and report. Raises CommandError where anything is wrong."""
        if wrong := schema.mismatch():
            raise CommandError(f"Migrations: {wrong}.")
        opened, unreadable = sealed_verification.verify()
        if unreadable:
            for item in unreadable[:_MOST_SHOWN]:
                self.stdout.write(str(item))
            raise CommandError(
                f"{len(unreadable)} of {opened + len(unreadable)} sealed values do not open: they "
                "were changed, or a master key is missing in SEALGATE_MASTER_KEYS."
            )
        audit = audit_look.verify(checkpoint)
        for fault in audit.faults:
            self.stdout.write(f"{fault.kind}: {fault.what}")
        if audit.faults:
            raise CommandError(f"The audit trail is not whole: {len(audit.faults)} faults.")
        self.stdout.write(
            f"The tables are of this version, all {opened} sealed values open, and {audit.length} "
            "audit entries are as they were written."
        )
