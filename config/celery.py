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


@signals.worker_ready.connect
def _report(sender: Any, **_: Any) -> None:
    """Have the worker report what it has loaded (tenants.rollout)."""
    from celery.concurrency.prefork import TaskPool  # noqa: PLC0415 - only a worker needs it

    # The parent of a pool of processes runs no task, and must have no thread when it forks.
    if not isinstance(sender.pool, TaskPool):
        _start_reporting()


@signals.worker_process_init.connect
def _start_reporting(**_: Any) -> None:
    from tenants import reporter  # noqa: PLC0415 - needs Django set up

    reporter.start("worker")


@signals.worker_shutdown.connect
@signals.worker_process_shutdown.connect
def _stop_reporting(**_: Any) -> None:
    from tenants import reporter  # noqa: PLC0415

    reporter.stop()
