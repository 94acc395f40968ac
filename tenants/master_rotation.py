"""Put everything sealed under the current master key, while the product runs.

Each value is opened, sealed again (with a fresh data key) and written back under the lock of its
row, in small transactions. What is done is seen in the values themselves, so a rotation that was
killed goes on where it stopped, and nothing need be remembered.

Rows that others hold at the moment are passed over and taken one at a time afterwards: while
this waits for a lock it holds none, so it is never part of a circle.

At the end every value is opened once more with the current master key alone. Should a value
under an older one have appeared meanwhile (a process held the row from before, or still runs with
the old setting), it is done again, a few times, before the rotation gives up and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import models, transaction

from tenants import at_rest, sealed_verification
from tenants.actors import Actor
from tenants.at_rest import AtRestError
from tenants.lifecycle.base import audit
from tenants.master_keys import MasterKeys
from tenants.sealed_columns import SealedColumn, sealed_columns
from tenants.sealed_verification import Unreadable

#: Rows of one transaction: some milliseconds of work.
_BATCH: Final = 50
#: How often everything is gone through before giving up on values that come back.
_ROUNDS: Final = 5

#: Called with a column's label, how many of its values are done, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Report:
    """What a rotation did. ``left`` counts values that stayed under another master key."""

    version: int
    sealed_again: int = 0
    verified: int = 0
    left: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Return whether every value opens with the current master key alone."""
        return not self.left and not self.unreadable


def rotate(actor: Actor, progress: Progress = lambda *_: None) -> Report:
    """Seal everything under the current master key, verify it, and audit it if anything moved."""
    masters: MasterKeys = settings.MASTER_KEYS
    alone = MasterKeys({masters.current_version: masters.current})
    report = Report(version=masters.current_version)
    for _ in range(_ROUNDS):
        for column in sealed_columns():
            _seal_again(column, report, progress)
        _verify(alone, report, progress)
        if report.left == len(report.unreadable):
            break
    if report.sealed_again:
        with transaction.atomic():
            audit(
                actor,
                "master_key.rotate",
                after={
                    "master_key_version": report.version,
                    "sealed_again": report.sealed_again,
                    "verified": report.verified,
                    "left": report.left,
                },
            )
    return report


def _seal_again(column: SealedColumn, report: Report, progress: Progress) -> None:
    """Do every value of the column that is not under the current master key."""
    due = column.not_under(report.version)
    total, done, last = due.count(), 0, None
    progress(column.label, 0, total)
    while True:
        rest = due if last is None else due.filter(pk__gt=last)
        keys = list(rest.values_list("pk", flat=True)[:_BATCH])
        if not keys:
            return
        last = keys[-1]
        held = set(keys) - _do(column, keys, report, wait=False)
        for key in sorted(held):
            _do(column, [key], report, wait=True)
        done += len(keys)
        progress(column.label, done, max(done, total))


def _do(column: SealedColumn, keys: list[Any], report: Report, *, wait: bool) -> set[Any]:
    """Seal these rows again; return those that could be locked. Only one may be waited for."""
    with transaction.atomic():
        rows = (
            column.not_under(report.version)
            .filter(pk__in=keys)
            .select_for_update(of=("self",), no_key=True, skip_locked=not wait)
        )
        seen = set()
        for row in rows:
            seen.add(row.pk)
            if _seal_row(column, row):
                report.sealed_again += 1
    return seen


def _seal_row(column: SealedColumn, row: models.Model) -> bool:
    """Write the row's value anew; False if it does not open (the verification names it)."""
    context = column.context(row)
    try:
        opened = at_rest.open_sealed(column.blob(row), context)
    except AtRestError:
        return False
    # The column alone: requests write the others meanwhile.
    sealed = at_rest.seal(opened, context)
    column.model._default_manager.filter(pk=row.pk).update(**{column.field: sealed})
    return True


def _verify(alone: MasterKeys, report: Report, progress: Progress) -> None:
    """Open every value with the current master key alone."""
    report.verified, report.left, report.unreadable = 0, 0, []
    for column in sealed_columns():
        label, total = f"verify {column.label}", column.rows().count()
        progress(label, 0, total)
        for done, row in enumerate(column.each_row(), start=1):
            if sealed_verification.failure_of(column, row, alone) is None:
                report.verified += 1
            else:
                report.left += 1
                # Under an older master key, or under none there is?
                failure = sealed_verification.failure_of(column, row)
                report.unreadable += [] if failure is None else [failure]
            if done % _BATCH == 0:
                progress(label, done, max(done, total))
        progress(label, total, total)
