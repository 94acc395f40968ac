"""Settings, addresses and entry points of the Sealgate processes."""

import gc

# A process allocates a million objects before it serves, and keeps nearly all of them. Looking for
# garbage among them after every 700, as is the default, takes a tenth of its start.
gc.set_threshold(10_000, 20, 20)

from config.celery import app as celery_app  # noqa: E402

__all__ = ["celery_app"]
