"""Every column of the database that holds something sealed, in every installed app.

A model takes part by having a ``BinaryField`` and a property ``at_rest_context``, which names
table, column and row; both are needed to read what it holds, so a model that works is found
here. The models of an installation's own backends are found in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import models
from django.db.models import Q, QuerySet

from tenants import at_rest
from tenants.master_keys import MasterKeys

#: Rows read at once.
_BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One column. An empty value means that nothing is sealed there (yet, or any more)."""

    model: type[models.Model]
    field: str

    @property
    def label(self) -> str:
        """Return how people name it, such as ``tenants.key.material``."""
        return f"{self.model._meta.label_lower}.{self.field}"

    def rows(self) -> QuerySet[Any]:
        """Return the rows that hold something, by primary key."""
        held = self.model._default_manager.exclude(**{self.field: b""})
        return held.exclude(**{f"{self.field}__isnull": True}).order_by("pk")

    def each_row(self) -> Iterator[models.Model]:
        """Return those rows in batches of their own: no cursor stays open over a long run."""
        last = None
        while True:
            rest = self.rows() if last is None else self.rows().filter(pk__gt=last)
            rows = list(rest[:_BATCH])
            yield from rows
            if len(rows) < _BATCH:
                return
            last = rows[-1].pk

    def under(self, version: int) -> QuerySet[Any]:
        """Return the rows wrapped by master key ``version``."""
        return self.rows().filter(self._begins(version))

    def not_under(self, version: int) -> QuerySet[Any]:
        """Return the rows wrapped by another master key than ``version``, or by none."""
        return self.rows().exclude(self._begins(version))

    def blob(self, row: models.Model) -> bytes:
        """Return what ``row`` holds, as stored."""
        return bytes(getattr(row, self.field))

    def context(self, row: models.Model) -> str:
        """Return the context that binds the value to ``row``."""
        return str(row.at_rest_context)  # type: ignore[attr-defined]

    def _begins(self, version: int) -> Q:
        head = at_rest.head_of(version)
        above = (int.from_bytes(head, "big") + 1).to_bytes(len(head), "big")
        return Q(**{f"{self.field}__gte": head, f"{self.field}__lt": above})


def sealed_columns() -> list[SealedColumn]:
    """Return every sealed column, in the order of their labels."""
    found = [
        SealedColumn(model, field.name)
        for model in apps.get_models(include_auto_created=True)
        if hasattr(model, "at_rest_context") and not model._meta.proxy
        for field in model._meta.local_concrete_fields
        if isinstance(field, models.BinaryField)
    ]
    return sorted(found, key=lambda column: column.label)


def count_by_version(masters: MasterKeys) -> Mapping[str, Mapping[str, int]]:
    """Return for each column how many values each master key wraps.

    Keys are versions as text; ``other`` counts what no listed version wraps.
    """
    counts = {}
    for column in sealed_columns():
        of = {str(version): column.under(version).count() for version in sorted(masters.by_version)}
        other = column.rows().count() - sum(of.values())
        counts[column.label] = of | ({"other": other} if other > 0 else {})
    return counts
