"""An attempt as it was made, and the row it leaves."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.utils import timezone

from callbacks.channels import Result
from callbacks.models import Attempt, Delivery
from callbacks.timings import Timings
from tenants import at_rest

_HOST: Final = socket.gethostname()[:40]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made: when, how long each phase took, and the masked start of the answer."""

    started_at: datetime
    timings: Timings
    answer: bytes = field(default=b"", repr=False)


def worker_name() -> str:
    """Return what this process is called in the attempts it makes."""
    return f"{_HOST}:{os.getpid()}"


def attempt_row(delivery: Delivery, result: Result, call: Call | None) -> Attempt:
    """Return the row, not written yet, of the attempt ``delivery`` was claimed for."""
    row = Attempt(
        delivery=delivery,
        endpoint_id=delivery.endpoint_id,
        number=delivery.attempts,
        started_at=call.started_at if call else timezone.now(),
        status=result.status,
        error=result.error[:64],
        worker=worker_name(),
    )
    if call is not None:
        times = call.timings
        row.dns_ms, row.connect_ms, row.tls_ms = times.dns, times.connect, times.tls
        row.first_byte_ms, row.rest_ms, row.total_ms = times.first_byte, times.rest, times.total
        if call.answer:
            row.answer = at_rest.seal(call.answer, row.at_rest_context)
    return row
