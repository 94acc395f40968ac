"""The Celery application. Tasks are doorbells: the database rows are the truth."""

from __future__ import annotations

import os

from celery import Celery

from callbacks.sweeper import Sweeper

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("sealgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.steps["worker"].add(Sweeper)
