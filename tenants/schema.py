"""Whether the database has the tables this version of the code was written for.

What stands beside the code is compared with what the database says was applied, by name: that takes
a query or two, so every process does it when it starts, and every readiness probe. The folders are
looked into once a process, which runs the code it began with.
"""

from __future__ import annotations

import functools
import importlib
import logging
import pkgutil
from pathlib import Path
from typing import Final, NoReturn

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

logger = logging.getLogger("sealgate.start")

#: Exit status of a process that does not start; at this one gunicorn ends its server.
REFUSED: Final = 4
PENDING: Final = "pending; run manage.py migrate"
AHEAD: Final = "the database is of a newer version; run that, or restore a backup"


def mismatch() -> str:
    """Return what is wrong with the tables and what to do; nothing where they are as expected.

    Raises DatabaseError.
    """
    applied = set(MigrationRecorder(connection).applied_migrations())
    here = {config.label: _names(config) for config in apps.get_app_configs()}
    if {(label, name) for label, names in here.items() for name in names} - applied:
        return PENDING
    # Others drop old migrations when they replace several by one, and leave the record.
    ours = {config.label for config in apps.get_app_configs() if _is_ours(config)}
    if any(label in ours and name not in here[label] for label, name in applied):
        return AHEAD
    return ""


def wrong_at_start() -> str:
    """Return what :func:`mismatch` does, to a process that is about to start.

    A database that does not answer keeps nobody from starting: it comes back, and the probes look.
    """
    try:
        return mismatch()
    except DatabaseError:
        return ""
    finally:
        connection.close()


def refuse(wrong: str) -> NoReturn:
    """End the process, with one line in the log."""
    logger.critical("Not started. Migrations: %s.", wrong)
    raise SystemExit(REFUSED)


@functools.cache
def _names(config: AppConfig) -> frozenset[str]:
    """Return the names of the app's migrations, as Django's loader finds them."""
    module, _ = MigrationLoader.migrations_module(config.label)
    if module is None:
        return frozenset()
    try:
        package = importlib.import_module(module)
    except ModuleNotFoundError:
        return frozenset()
    found = pkgutil.iter_modules(getattr(package, "__path__", []))
    return frozenset(item.name for item in found if not item.ispkg and item.name[0] not in "_~")


def _is_ours(config: AppConfig) -> bool:
    # Its package stands beside manage.py. The packages of others may lie in a folder there.
    return (Path(settings.BASE_DIR) / config.name.partition(".")[0]).is_dir()
