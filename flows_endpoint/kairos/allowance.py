"""The balance of a flow: so many calls and no more, also when requests race."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db.models import F

from flows_endpoint.kairos.calls import refuse
from flows_endpoint.kairos.errors import Code
from flows_endpoint.kairos.models import CallAllowance


@dataclass(slots=True)
class Reservation:
    """Calls taken from the balance for one request; ``used`` is how many it came to."""

    used: int


@contextmanager
def reserved(
    flow_id: str, calls: int, balance: int | None, *, atomic: bool
) -> Iterator[Reservation]:
    """Take ``calls`` from the flow's balance for the time of the block.

    Afterwards the balance is down by what the block left in ``Reservation.used``. When it raises,
    the transaction around it undoes the taking, or, where there is none (``atomic`` false), this
    gives it back. Raises Refusal (212) when the balance does not reach.
    """
    reservation = Reservation(used=calls)
    if balance is None:
        yield reservation
        return
    CallAllowance.objects.get_or_create(flow_id=flow_id)
    row = CallAllowance.objects.filter(flow_id=flow_id)
    # One statement decides: whoever comes second sees what the first has taken.
    if not row.filter(used__lte=balance - calls).update(used=F("used") + calls):
        raise refuse(Code.INSUFFICIENT_BALANCE)
    try:
        yield reservation
    except BaseException:
        if not atomic:
            row.update(used=F("used") - calls)
        raise
    if reservation.used != calls:
        row.update(used=F("used") - (calls - reservation.used))
