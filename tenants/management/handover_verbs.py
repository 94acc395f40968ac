"""``manage.py key handover …``: links by which a partner fetches credentials."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.core.management.base import CommandError
from django.utils import timezone
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tenants import lifecycle
from tenants.actors import Actor
from tenants.management import asking
from tenants.management.naming import FLOW_HELP, by_id, find_flow, iso_time
from tenants.models import ApprovalRequest, Flow, HandOver, Key

_COLUMNS: Final = ("id", "flow", "shows", "made by", "made", "expires", "stands")
#: Columns of text that a table takes at most.
_WIDTH: Final = 200
_Report = tuple[Mapping[str, Any], Callable[[Console], None]]


def add_arguments(verbs: Any) -> None:
    """Declare ``handover`` among the verbs of the command."""
    text = "One-time links that show a partner their credentials."
    parser: ArgumentParser = verbs.add_parser("handover", help=text, description=text)
    deeds = parser.add_subparsers(dest="deed", required=True, metavar="create|list|withdraw")

    def add(name: str, text: str) -> ArgumentParser:
        deed: ArgumentParser = deeds.add_parser(name, help=text, description=text)
        deed.add_argument("--json", action="store_true", help="Print one JSON object.")
        return deed

    deed = add("create", "Make a link and print it, this once.")
    deed.add_argument("flow", metavar="FLOW", help=FLOW_HELP)
    deed.add_argument(
        "--purpose",
        action="append",
        metavar="PURPOSE",
        help="Show the newest version for this purpose, as often as needed. Left out: everything "
        "that is for the partner.",
    )
    deed.add_argument(
        "--hours",
        type=int,
        default=lifecycle.DEFAULT_LIFETIME // timedelta(hours=1),
        metavar="N",
        help="How long it opens: 1 to "
        f"{lifecycle.LONGEST_LIFETIME // timedelta(hours=1)}; default %(default)s.",
    )
    deed.add_argument("--reason", default="", help="Needed where a second person is.")
    asking.takes_break_glass(deed)
    deed = add("list", "List links, without what opens them.")
    deed.add_argument("--flow", metavar="FLOW", help=f"Of this flow only: {FLOW_HELP}")
    add("withdraw", "Have a link open no more.").add_argument(
        "handover", metavar="ID", help="As key handover list prints it."
    )


def run(given: Mapping[str, Any]) -> _Report:
    """Do the deed. Raises CommandError and what the lifecycle raises."""
    return _DEEDS[given["deed"]](given)


def _create(given: Mapping[str, Any]) -> _Report:
    flow = find_flow(given["flow"])
    # Beyond what a timedelta takes it is too long as well.
    hours = max(0, min(given["hours"], lifecycle.LONGEST_LIFETIME // timedelta(hours=1) + 1))
    keys, lifetime = _chosen(flow, given["purpose"]), timedelta(hours=hours)
    token = lifecycle.new_token()
    made = asking.do_or_ask(
        given,
        lambda actor: lifecycle.create_handover(
            actor, flow, keys=keys, lifetime=lifetime, token=token
        ),
        reason=given["reason"],
        material=lifecycle.digest_of(token).encode("ascii"),
    )
    if isinstance(made, ApprovalRequest):
        return _asked(made, lifecycle.link_of(token))
    issued = made

    def show(console: Console) -> None:
        console.print(Text(f"{flow.scheme}/{flow.address}: a link that shows"), soft_wrap=True)
        for key in issued.keys:
            console.print(Text(f"  {key.title}, {key.state}"), soft_wrap=True)
        console.print(f"It opens once, until {issued.handover.expires_at:%Y-%m-%d %H:%M} UTC.")
        console.print("[bold]The link, shown this once:[/bold]")
        console.print(Text(issued.url), soft_wrap=True)

    return {**_facts(issued.handover, flow, issued.keys), "url": issued.url}, show


def _asked(row: ApprovalRequest, url: str) -> _Report:
    report, say = asking.asked(row)

    def show(console: Console) -> None:
        say(console)
        console.print("[bold]The link, shown this once; it opens once somebody approves:[/bold]")
        console.print(Text(url), soft_wrap=True)

    return {**report, "url": url}, show


def _list(given: Mapping[str, Any]) -> _Report:
    links = HandOver.objects.select_related("flow__client").prefetch_related("keys")
    if given["flow"]:
        links = links.filter(flow=find_flow(given["flow"]))
    found = [(link, _facts(link, link.flow, link.keys.all())) for link in links]

    def show(console: Console) -> None:
        table = Table(*_COLUMNS, box=None, padding=(0, 2, 0, 0))
        for link, facts in found:
            shows = ", ".join(f"{key['purpose']}/{key['version']}" for key in facts["keys"])
            table.add_row(
                facts["id"],
                Text(f"{facts['scheme']}/{facts['address']}"),
                Text(shows),
                Text(link.created_by),
                f"{link.created_at:%Y-%m-%d %H:%M}",
                f"{link.expires_at:%Y-%m-%d %H:%M}",
                facts["state"],
            )
        # Cutting ids off helps nobody: a narrow screen wraps the lines.
        console.width = max(console.width, _WIDTH)
        console.print(table, crop=False)

    return {"handovers": [facts for _, facts in found]}, show


def _withdraw(given: Mapping[str, Any]) -> _Report:
    links = by_id(HandOver.objects.select_related("flow__client"), given["handover"])
    link: HandOver | None = links.first()
    if link is None:
        raise CommandError(f"There is no link {given['handover']}. See key handover list.")
    flow = link.flow
    link = lifecycle.withdraw_handover(Actor.command_line(), link)
    facts = _facts(link, flow, link.keys.all())
    return facts, lambda console: console.print(Text(f"{facts['id']}: {facts['state']}."))


_DEEDS: Final[dict[str, Callable[[Mapping[str, Any]], _Report]]] = {
    "create": _create,
    "list": _list,
    "withdraw": _withdraw,
}


def _chosen(flow: Flow, purposes: list[str] | None) -> list[UUID] | None:
    if purposes is None:
        return None
    current = {key.purpose: key.pk for key in lifecycle.keys_to_hand_over(flow)}
    missing = sorted(set(purposes) - set(current))
    if missing:
        known = ", ".join(current) or "nothing"
        raise CommandError(
            f"For {', '.join(missing)} there is nothing to hand over to a partner. "
            f"There is {known}."
        )
    return [current[purpose] for purpose in purposes]


def _facts(link: HandOver, flow: Flow, keys: Iterable[Key]) -> dict[str, Any]:
    return {
        "id": str(link.pk),
        "client": flow.client.slug,
        "flow": str(flow.pk),
        "scheme": flow.scheme,
        "address": flow.address,
        "keys": [{"purpose": key.purpose, "version": key.version} for key in keys],
        "state": str(link.state(timezone.now())),
        "created_by": link.created_by,
        "created_at": iso_time(link.created_at),
        "expires_at": iso_time(link.expires_at),
        "opened_at": iso_time(link.opened_at),
        "opened_from": link.opened_from,
        "withdrawn_at": iso_time(link.withdrawn_at),
    }
