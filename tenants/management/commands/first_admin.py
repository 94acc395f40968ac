"""Make the first administrator of a new installation."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction


class Command(BaseCommand):
    """Make the user ``admin`` with a random password, unless there is any administrator."""

    help = "Make the first administrator, with a random password written to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--password-file", type=Path, required=True)

    def handle(self, *, password_file: Path, **options: Any) -> None:
        """Write the password (mode 0600) first, then the user, so that it is never lost."""
        users = get_user_model().objects
        with transaction.atomic():
            if users.filter(is_superuser=True).exists():
                return
            password = secrets.token_urlsafe(18)
            descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(password + "\n")
            users.create_superuser(username="admin", email="", password=password)
        self.stderr.write(
            f"Made the administrator 'admin'. The password is in {password_file}; change it after "
            "the first log-in and delete the file."
        )
