"""Print a signed statement of where the audit trail ends, to be kept somewhere else."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants import audit_checkpoint
from tenants.audit_verification import verify
from tenants.management.refusals import as_command_errors


class Command(BaseCommand):
    """``manage.py audit_checkpoint``: fails where the trail is not whole."""

    help = (
        "Verify the audit trail and print a signed checkpoint of it as one JSON object. Keep it "
        "elsewhere; manage.py verify_audit --checkpoint compares with it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the checkpoint. Raises CommandError."""
        with as_command_errors():
            verified = verify()
            if verified.faults:
                raise CommandError("The audit trail is not whole: see manage.py verify_audit.")
            self.stdout.write(json.dumps(audit_checkpoint.make(verified)))
