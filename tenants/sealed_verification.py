"""Find every sealed value that does not open: changed, moved, or its master key is missing."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models

from tenants import at_rest
from tenants.at_rest import AtRestError
from tenants.master_keys import MasterKeys
from tenants.models import Key
from tenants.sealed_columns import SealedColumn, sealed_columns


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value that does not open: where it stands and the code of the AtRestError.

    ``name`` is what people call it: of a key its purpose, version, fingerprint and flow.
    """

    column: str
    row: str
    code: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.column}, row {self.row}: does not open ({self.code}). {self.name}".rstrip()


def verify() -> tuple[int, list[Unreadable]]:
    """Open every value with the master keys of the settings; return how many do, and the others."""
    opened, unreadable = 0, []
    for column in sealed_columns():
        for row in column.each_row():
            failure = failure_of(column, row)
            if failure is None:
                opened += 1
            else:
                unreadable.append(failure)
    return opened, unreadable


def failure_of(
    column: SealedColumn, row: models.Model, masters: MasterKeys | None = None
) -> Unreadable | None:
    """Return why the row's value does not open; None where it does."""
    try:
        at_rest.open_sealed(column.blob(row), column.context(row), masters=masters)
    except AtRestError as error:
        name = f"{row} of {row.flow}" if isinstance(row, Key) else ""
        return Unreadable(column.label, str(row.pk), error.code, name)
    return None
