"""Delete many rows a few at a time, so that nobody waits long for one statement."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet


def delete_in_batches(rows: QuerySet[Any], at_once: int) -> int:
    """Delete ``rows`` in their order, ``at_once`` in a statement; return how many there were."""
    everything = rows.model._default_manager
    deleted = 0
    while some := list(rows.values_list("pk", flat=True)[:at_once]):
        deleted += everything.filter(pk__in=some).delete()[0]
    return deleted
