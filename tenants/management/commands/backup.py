"""Copy the embedded database to a file, while the product runs."""

from __future__ import annotations

import os
import sqlite3
from argparse import ArgumentParser
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tenants import master_keys


class Command(BaseCommand):
    """``manage.py backup``: the state of one moment, whole and looked through, or no file."""

    help = (
        "Copy the SQLite database into a new file of DIRECTORY and print its path. Nobody waits "
        "for it. PostgreSQL has pg_dump: docs/operations.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("directory", type=Path)
        parser.add_argument(
            "--secrets",
            type=Path,
            metavar="DIRECTORY",
            help="Write the master keys and the secret key in force there, under the same name. "
            "Who has both has everything: choose another place.",
        )

    def handle(
        self, *args: Any, directory: Path, secrets: Path | None = None, **options: Any
    ) -> None:
        """Make the copy. Raises CommandError where it cannot be made, or is not whole."""
        if connection.vendor != "sqlite":
            raise CommandError("This is for SQLite. Use pg_dump: docs/operations.md.")
        if secrets is not None and secrets.resolve().is_relative_to(directory.resolve()):
            raise CommandError("The secrets must not lie beside what they open.")
        name = f"sealgate-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        try:
            _make_private(directory)
            if secrets is not None:
                # First: a copy without its keys is worth nothing.
                _make_private(secrets)
                _write(secrets / f"{name}.master-keys", master_keys.written(settings.MASTER_KEYS))
                _write(secrets / f"{name}.secret-key", settings.SECRET_KEY)
            copy = directory / f"{name}.sqlite3"
            _copy_database(copy)
        except (OSError, sqlite3.Error) as error:
            raise CommandError(f"The backup failed: {error}") from None
        self.stdout.write(str(copy))


def _make_private(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(path: Path, text: str) -> None:
    with _new(path).open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


def _new(path: Path) -> Path:
    """Make an empty file that only its owner may read. Raises OSError where there is one."""
    path.touch(mode=0o600, exist_ok=False)
    path.chmod(0o600)
    return path


def _copy_database(copy: Path) -> None:
    """Have ``copy`` appear with the whole database in it. Raises OSError or sqlite3.Error."""
    unfinished = _new(copy.with_name(f".{copy.name}.new"))
    try:
        connection.ensure_connection()
        with closing(sqlite3.connect(unfinished)) as target:
            # All of it in one step: the state of one moment. In WAL mode no writer waits for it.
            connection.connection.backup(target)
            # One file that holds everything; the product makes it WAL again.
            target.execute("PRAGMA journal_mode=DELETE")
            (found,) = target.execute("PRAGMA integrity_check").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(f"the copy is damaged: {found}")
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(copy)
        folder = os.open(copy.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        unfinished.unlink(missing_ok=True)
