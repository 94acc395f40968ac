"""How a command does a verb that may need a second person: asks, or breaks the glass."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from django.utils import timezone
from rich.console import Console
from rich.text import Text

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import approvals
from tenants.lifecycle.covered import changes, fingerprints, what
from tenants.management.naming import iso_time
from tenants.models import ApprovalRequest, ApprovalState

#: Exit status of a command that asked: it did not fail, but nothing is done yet either.
ASKED: Final = 3
#: Name in a report that says so.
WAITS: Final = "waits_for_second_person"
Report = tuple[Mapping[str, Any], Callable[[Console], None]]
Done = TypeVar("Done")


def takes_break_glass(verb: ArgumentParser) -> None:
    """Declare ``--break-glass``."""
    verb.add_argument(
        "--break-glass",
        default="",
        metavar="REASON",
        help="Do it at once even where it needs a second person. Stands in the audit trail and "
        "in the log as a warning.",
    )


def do_or_ask(
    given: Mapping[str, Any],
    verb: Callable[[Actor], Done],
    *,
    reason: str,
    material: bytes = b"",
) -> Done | ApprovalRequest:
    """Do ``verb``, or ask for it where it needs a second person, or break the glass if told to."""
    actor, broken = Actor.command_line(), given["break_glass"]
    if broken:
        return lifecycle.break_glass(actor, verb, reason=broken)
    return approvals.do_or_ask(actor, verb, reason=reason, material=material)


def asked(row: ApprovalRequest) -> Report:
    """Return the report of a command that asked."""

    def show(console: Console) -> None:
        say(row, console)
        console.print(
            Text(
                "Nothing is changed yet. Somebody else decides, in the admin under Approvals, "
                f"until {row.expires_at:%Y-%m-%d %H:%M} UTC."
            ),
            soft_wrap=True,
        )

    return {WAITS: True, **facts(row)}, show


def facts(row: ApprovalRequest) -> dict[str, Any]:
    """Return a request as a JSON object, without what it carries."""
    return {
        "id": str(row.pk),
        "verb": row.verb,
        "what": what(row),
        "state": str(state(row)),
        "client": row.client.slug,
        "flow": str(row.flow_id) if row.flow_id else None,
        "scheme": row.flow.scheme if row.flow else None,
        "address": row.flow.address if row.flow else None,
        "key": str(row.key_id) if row.key_id else None,
        "fingerprints": fingerprints(row),
        "changes": [str(change) for change in changes(row)],
        "reason": row.reason,
        "requested_by": row.requested_by,
        "requested_at": iso_time(row.requested_at),
        "expires_at": iso_time(row.expires_at),
        "decided_by": row.decided_by,
        "decided_at": iso_time(row.decided_at),
        "decision_note": row.decision_note,
    }


def state(row: ApprovalRequest) -> ApprovalState:
    """Return where a request stands, also before the worker has noticed."""
    is_late = row.state == ApprovalState.PENDING and row.expires_at <= timezone.now()
    return ApprovalState.EXPIRED if is_late else ApprovalState(row.state)


def say(row: ApprovalRequest, console: Console) -> None:
    """Print what a request is about and where it stands."""
    place = f"{row.flow.scheme}/{row.flow.address}" if row.flow else row.client.slug
    console.print(Text(f"{place}: {what(row)}, asked for by {row.requested_by}"), soft_wrap=True)
    for change in changes(row):
        console.print(Text(f"  {change}"), soft_wrap=True)
    console.print(Text(f"{row.pk}: {state(row)}"), soft_wrap=True)
