"""Reports of processes that are not there, for tests of who waits for whom."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from tenants.models import Flow, KeyringEpoch, ProcessReport


def report(
    pid: int,
    *,
    kind: str = "web",
    behind: int = 0,
    silent: float = 0,
    cannot_load: tuple[Flow, ...] = (),
) -> ProcessReport:
    """Write the report of a process ``behind`` the newest epoch, made ``silent`` seconds ago."""
    row = ProcessReport.objects.create(
        kind=kind,
        host="node-a",
        pid=pid,
        started_at=timezone.now(),
        seen_at=timezone.now(),
        epoch=KeyringEpoch.objects.get(pk=1).value - behind,
        cannot_load=[str(flow.pk) for flow in cannot_load],
    )
    # The database's clock counts, also where a test moves ours.
    ProcessReport.objects.filter(pk=row.pk).update(seen_at=Now() - timedelta(seconds=silent))
    return row
