"""Settings, addresses and entry points of the Sealgate processes."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
