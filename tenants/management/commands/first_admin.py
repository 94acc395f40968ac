"""Make the first administrator of a new installation."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, transaction

from tenants import audit_chain
from tenants.actors import Actor, account_of

#: The name of the first administrator, and the file that script/server has the password put into.
FIRST_NAME: Final = "admin"
FIRST_PASSWORD: Final = "admin-password"


class Command(BaseCommand):
    """Make the user ``admin`` with a random password, unless there is any administrator."""

    help = "Make the first administrator, with a random password written to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--password-file", type=Path, required=True)

    def handle(self, *, password_file: Path, **options: Any) -> None:
        """Make the user and write the password, or neither. Raises CommandError.

        The user comes first: of two processes that start at once only the one whose user it
        is writes the file. It is committed last, so that no password is ever lost.
        """
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return
        password = secrets.token_urlsafe(18)
        try:
            with transaction.atomic():
                made = users.create_superuser(username=FIRST_NAME, email="", password=password)
                who = {"person": FIRST_NAME, "account": account_of(made), "is_superuser": True}
                audit_chain.append(Actor.command_line(), "person.create", after=who)
                _write_private(password_file, password + "\n")
        except IntegrityError:
            if users.filter(is_superuser=True).exists():  # another process was first
                return
            raise CommandError(
                "There is a user 'admin' who is no administrator. Make one with: manage.py "
                "createsuperuser"
            ) from None
        except OSError as error:
            raise CommandError(
                f"The password cannot be written to {password_file}: {error.strerror}."
            ) from None
        self.stderr.write(
            f"Made the administrator 'admin'. The password is in {password_file}; change it after "
            "the first log-in and delete the file."
        )


def _write_private(path: Path, text: str) -> None:
    """Put a new file of mode 0600 at ``path``, whatever stood there and whoever could read it."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
