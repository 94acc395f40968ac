"""How people say on the command line which deliveries and which endpoint they mean."""

from __future__ import annotations

import re
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.management.base import CommandError
from django.utils import timezone

from callbacks import channels
from callbacks.models import DeliveryState, Endpoint
from callbacks.operations import Selection
from tenants.management.naming import FLOW_HELP, find_flow
from tenants.models import Client

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_NARROWING: Final = ("client", "flow", "event", "state", "since", "until")


def add_filters(verb: ArgumentParser, *states: str) -> None:
    """Declare what narrows a verb to some deliveries; in ``states`` where no state is said."""
    verb.add_argument("--client", metavar="SLUG", help="Of this client only.")
    verb.add_argument("--flow", metavar="FLOW", help=f"Of this flow only: {FLOW_HELP}")
    verb.add_argument("--channel", choices=channels.names(), help="Of a flow: over this one only.")
    verb.add_argument("--event", default="", help="Such as call.ended.")
    verb.add_argument(
        "--state",
        action="append",
        choices=DeliveryState.values,
        help=f"May be given often. Without: {' and '.join(states) or 'any'}.",
    )
    verb.set_defaults(states=states)
    verb.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="Made then or later: 2031-01-31, 2031-01-31T08:00 (UTC), or 90m, 24h, 7d ago.",
    )
    verb.add_argument("--until", type=moment, metavar="TIME", help="Made before.")


def selection(given: Mapping[str, Any]) -> Selection:
    """Return what the options of :func:`add_filters` say. Raises CommandError."""
    client = None
    if given["client"]:
        client = Client.objects.filter(slug=given["client"]).first()
        if client is None:
            raise CommandError(f"There is no client {given['client']}.")
    flow = find_flow(given["flow"]) if given["flow"] else None
    endpoint = None
    if given["channel"]:
        if flow is None:
            raise CommandError("--channel needs --flow.")
        endpoint = find_endpoint(given["flow"], given["channel"])
    return Selection(
        client=client,
        flow=flow,
        endpoint=endpoint,
        event=given["event"],
        states=tuple(given["state"] or given["states"]),
        since=given["since"],
        until=given["until"],
    )


def narrows(given: Mapping[str, Any]) -> bool:
    """Return whether any option narrows the choice."""
    return any(given.get(name) for name in _NARROWING)


def find_endpoint(flow: str, channel: str) -> Endpoint:
    """Return the endpoint of the flow a person wrote. Raises CommandError."""
    row = find_flow(flow)
    endpoint = Endpoint.objects.select_related("flow").filter(flow=row, channel=channel).first()
    if endpoint is None:
        raise CommandError(f"Nothing was ever sent from {flow} over {channel}.")
    return endpoint


def moment(text: str) -> datetime:
    """Return the time a person wrote. Raises ArgumentTypeError."""
    ago = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if ago:
        return timezone.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError("must be a time such as 2031-01-31T08:00 or 24h.") from None


def identity(text: str) -> uuid.UUID:
    """Return the id a person wrote. Raises ArgumentTypeError."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ArgumentTypeError("must be an id, as the lists show them.") from None
