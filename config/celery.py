"""The Celery application. Tasks are doorbells: the database rows are the truth."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals

from callbacks.sweeper import Sweeper
from config import file_broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

file_broker.register()
app = Celery("sealgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(Sweeper)


@signals.worker_init.connect
def _require_tables(**_: Any) -> None:
    """Have no worker start on a database of another version."""
    from tenants import schema  # noqa: PLC0415 - needs Django set up

    if wrong := schema.wrong_at_start():
        schema.refuse(wrong)


@signals.worker_ready.connect
def _report(sender: Any, **_: Any) -> None:
    """Have the worker report what it has loaded (tenants.rollout), and watch its database."""
    from celery.concurrency.prefork import TaskPool  # noqa: PLC0415 - only a worker needs it

    # The parent of a pool of processes runs no task, and must have no thread when it forks.
    if not isinstance(sender.pool, TaskPool):
        _start_threads()


@signals.worker_process_init.connect
def _start_threads(**_: Any) -> None:
    """Have the process notice a PostgreSQL that does not answer, and report what it has loaded."""
    from django.conf import settings  # noqa: PLC0415 - the settings are read later
    from django.db import connection  # noqa: PLC0415

    from tenants import reporter  # noqa: PLC0415 - needs Django set up

    if connection.vendor == "postgresql":
        from tenants.postgresql.watch import watch  # noqa: PLC0415

        watch.start(settings.DATABASE_SECONDS, patience=0)
    reporter.start("worker")


@signals.task_prerun.connect
def _check_connections(task: Any, **_: Any) -> None:
    """Have no task meet a connection that broke while its thread had nothing to do.

    Celery itself would close every one after each task: to open the next takes longer than most
    tasks, and is the better part of what a delivery waits for when the worker is idle.
    """
    from django.db import connections  # noqa: PLC0415 - the settings are read later

    if task.request.is_eager:
        return
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
        if connection.connection is not None and not connection.is_usable():
            connection.close()


@signals.worker_shutdown.connect
@signals.worker_process_shutdown.connect
def _stop_reporting(**_: Any) -> None:
    from tenants import reporter  # noqa: PLC0415

    reporter.stop()
