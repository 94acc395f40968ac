"""``manage.py key approvals …``: requests for a second person, and the policy that wants one."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import approvals
from tenants.lifecycle.requests import waiting
from tenants.management import asking
from tenants.management.asking import Report
from tenants.management.naming import by_id
from tenants.models import ApprovalRequest, ApprovalState, Client

_COLUMNS: Final = ("id", "flow", "what", "asked by", "why", "until", "state")
#: Columns of text that a table takes at most.
_WIDTH: Final = 220


def add_arguments(verbs: Any) -> None:
    """Declare ``approvals`` among the verbs of the command."""
    text = "Requests for a second person: list them, decide, and switch the policy."
    parser: ArgumentParser = verbs.add_parser("approvals", help=text, description=text)
    deeds = parser.add_subparsers(dest="deed", required=True, metavar="|".join(_DEEDS))

    def add(name: str, text: str) -> ArgumentParser:
        deed: ArgumentParser = deeds.add_parser(name, help=text, description=text)
        deed.add_argument("--json", action="store_true", help="Print one JSON object.")
        return deed

    deed = add("list", "List the requests that wait; with --state, others.")
    deed.add_argument("--client", metavar="SLUG", help="Of this client only.")
    deed.add_argument(
        "--state", action="append", choices=ApprovalState.values, help="May be given many times."
    )
    for name, text in (
        ("approve", "Agree to what somebody else asked for, and have it done."),
        ("refuse", "Decline what somebody else asked for."),
        ("withdraw", "Take back what was asked for at a shell."),
    ):
        deed = add(name, text)
        deed.add_argument("request", metavar="ID", help="As key approvals list prints it.")
        if name != "withdraw":
            deed.add_argument("--note", default="", help="Stands in the audit trail.")
    add("require", "Have two people change the keys of a client from now on.").add_argument(
        "client", metavar="CLIENT"
    )
    deed = add("relax", "Let one person alone change them again; needs a second person itself.")
    deed.add_argument("client", metavar="CLIENT")
    deed.add_argument("--reason", required=True, help="Stands in the audit trail.")
    asking.takes_break_glass(deed)


def run(given: Mapping[str, Any]) -> Report:
    """Do the deed. Raises CommandError and what the lifecycle raises."""
    return _DEEDS[given["deed"]](given)


def _list(given: Mapping[str, Any]) -> Report:
    rows = waiting()
    if given["state"]:
        rows = ApprovalRequest.objects.filter(state__in=given["state"]).defer("arguments")
    if given["client"]:
        rows = rows.filter(client__slug=given["client"])
    found = [(row, asking.facts(row)) for row in rows.select_related("client", "flow", "key")]

    def show(console: Console) -> None:
        table = Table(*_COLUMNS, box=None, padding=(0, 2, 0, 0))
        for row, facts in found:
            table.add_row(
                facts["id"],
                Text(f"{facts['scheme']}/{facts['address']}" if row.flow else facts["client"]),
                Text("\n".join([facts["what"], *facts["changes"]])),
                Text(row.requested_by),
                Text(row.reason),
                f"{row.expires_at:%Y-%m-%d %H:%M}",
                facts["state"],
            )
        # Cutting ids off helps nobody: a narrow screen wraps the lines.
        console.width = max(console.width, _WIDTH)
        console.print(table, crop=False)

    return {"approvals": [facts for _, facts in found]}, show


def _approve(given: Mapping[str, Any]) -> Report:
    row = _request(given["request"])
    return _told(approvals.approve(Actor.command_line(), row, note=given["note"]))


def _refuse(given: Mapping[str, Any]) -> Report:
    row = _request(given["request"])
    return _told(approvals.refuse(Actor.command_line(), row, note=given["note"]))


def _withdraw(given: Mapping[str, Any]) -> Report:
    return _told(approvals.withdraw(Actor.command_line(), _request(given["request"])))


def _require(given: Mapping[str, Any]) -> Report:
    on = {"needs_second_person": True}
    return _policy(lifecycle.update_client(Actor.command_line(), _client(given["client"]), on))


def _relax(given: Mapping[str, Any]) -> Report:
    client, reason = _client(given["client"]), given["reason"]
    done = asking.do_or_ask(
        given,
        lambda actor: lifecycle.relax_client(actor, client, reason=reason),
        reason=reason,
    )
    if isinstance(done, ApprovalRequest):
        return asking.asked(done)
    return _policy(Client.objects.get(pk=client.pk))


_DEEDS: Final[dict[str, Callable[[Mapping[str, Any]], Report]]] = {
    "list": _list,
    "approve": _approve,
    "refuse": _refuse,
    "withdraw": _withdraw,
    "require": _require,
    "relax": _relax,
}


def _request(text: str) -> ApprovalRequest:
    rows = by_id(ApprovalRequest.objects.select_related("client", "flow", "key__flow"), text)
    row: ApprovalRequest | None = rows.first()
    if row is None:
        raise CommandError(f"There is no request {text}. See key approvals list.")
    return row


def _client(slug: str) -> Client:
    client = Client.objects.filter(slug=slug).first()
    if client is None:
        raise CommandError(f"There is no client {slug}.")
    return client


def _told(row: ApprovalRequest) -> Report:
    return asking.facts(row), lambda console: asking.say(row, console)


def _policy(client: Client) -> Report:
    is_on = client.needs_second_person
    said = "two people change its keys" if is_on else "one person alone may change its keys"
    report = {"client": client.slug, "needs_second_person": is_on}
    return report, lambda console: console.print(Text(f"{client.slug}: {said}."))
