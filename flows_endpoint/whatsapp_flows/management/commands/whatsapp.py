"""What the admin does about WhatsApp flows, from the command line, and by the same code.

A flow is written ``whatsapp_flows/ADDRESS`` or by its id. With ``--json`` standard output carries
exactly one JSON object, and nothing at all when the command fails. Of users, only the last
characters of their number are shown.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows_endpoint.whatsapp_flows import actions, media
from flows_endpoint.whatsapp_flows.cloud.dispositions import meaning_of
from flows_endpoint.whatsapp_flows.models import (
    FlowAlert,
    FlowHealth,
    MediaFile,
    MessageState,
    PhoneKey,
    WhatsappMessage,
)
from tenants.actors import Actor
from tenants.management.naming import FLOW_HELP, by_id, find_flow, iso_time
from tenants.management.refusals import as_command_errors
from tenants.models import Flow

_MOST: Final = 1000
_COLUMNS: Final = ("made", "flow", "kind", "to", "state", "code", "id")
#: Columns of text that a table takes at most.
_WIDTH: Final = 160

_Report = tuple[Mapping[str, Any], Callable[[Console], None]]


class Command(BaseCommand):
    """``manage.py whatsapp VERB …``."""

    help = "Send forms, upload and check public keys, look at messages and alerts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the verbs and their arguments."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        def add(name: str, text: str, *, of_flow: bool = True) -> ArgumentParser:
            verb: ArgumentParser = verbs.add_parser(name, help=text, description=text)
            verb.add_argument("--json", action="store_true", help="Print one JSON object.")
            if of_flow:
                verb.add_argument("flow", metavar="FLOW", help=FLOW_HELP)
            return verb

        verb = add("send-flow", "Send a message that opens the form.")
        verb.add_argument(
            "--to",
            default="-",
            metavar="RECIPIENT",
            help="A phone number with country code, or a business-scoped user id. Default: the "
            "first line of standard input, which other users of the machine cannot see.",
        )
        verb.add_argument(
            "--data", metavar="JSON", help="An object to fill the first screen with, if it is set."
        )
        verb = add("upload-public-key", "Make a version the key that phones seal with.")
        verb.add_argument(
            "--version-number",
            type=int,
            metavar="N",
            help="A staged or active version. Default: the active one.",
        )
        add("check-public-key", "Read the key back from the platform and compare it.")
        add("status", "Show the key at the platform, the endpoint's health and open alerts.")
        verb = add("messages", "List messages, the newest first.", of_flow=False)
        verb.add_argument("--flow", metavar="FLOW", help=f"Of this flow only: {FLOW_HELP}")
        verb.add_argument(
            "--state", action="append", choices=MessageState.values, help="May be given many times."
        )
        verb.add_argument("--limit", type=int, default=50, metavar="N", help=f"1 to {_MOST}.")
        verb = add("fetch-media", "Fetch, check and decrypt an attached file.", of_flow=False)
        verb.add_argument("file", metavar="ID", help="The last part of the file's address.")
        verb.add_argument("--out", required=True, metavar="PATH", help="A new file to write.")

    def handle(self, *args: Any, **given: Any) -> None:
        """Do the verb. Raises CommandError; then nothing was changed."""
        with as_command_errors():
            report, show = _VERBS[given["verb"]](given)
        if given["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            show(Console(file=cast("IO[str]", self.stdout), highlight=False))


# --- the verbs -----------------------------------------------------------------------------


def _send_flow(given: Mapping[str, Any]) -> _Report:
    to = sys.stdin.readline() if given["to"] == "-" else given["to"]
    started = actions.send_flow(
        Actor.command_line(), find_flow(given["flow"]), to, data=_data(given["data"])
    )
    message = started.message

    def show(console: Console) -> None:
        console.print(Text(f"The message to …{message.recipient_tail} is queued: {message.pk}"))

    # The token is the caller's: it names the form in the callback.
    return {**_facts(message), "flow_token": started.flow_token}, show


def _upload(given: Mapping[str, Any]) -> _Report:
    flow = find_flow(given["flow"])
    key = None
    if given["version_number"] is not None:
        key = flow.keys.filter(purpose="whatsapp_rsa", version=given["version_number"]).first()
        if key is None:
            raise CommandError(f"The flow has no whatsapp_rsa version {given['version_number']}.")
    return _key_report(actions.upload_public_key(Actor.command_line(), flow, key))


def _check(given: Mapping[str, Any]) -> _Report:
    return _key_report(actions.check_public_key(Actor.command_line(), find_flow(given["flow"])))


def _status(given: Mapping[str, Any]) -> _Report:
    flow = find_flow(given["flow"])
    key = PhoneKey.objects.filter(flow=flow).first()
    health = FlowHealth.objects.filter(flow=flow).first()
    alerts = list(FlowAlert.objects.filter(flow=flow, closed_at__isnull=True))
    report = {
        "flow": str(flow.pk),
        "public_key": None if key is None else _key_facts(key),
        "health": None if health is None else _health_facts(health),
        "alerts": [
            {
                "event": alert.event,
                "subject": alert.subject,
                "message": alert.message,
                "opened_at": iso_time(alert.opened_at),
            }
            for alert in alerts
        ],
    }

    def show(console: Console) -> None:
        console.print(
            Text(f"Public key at Meta: {key.get_verdict_display() if key else 'unknown'}")
        )
        if health is None:
            console.print("Endpoint: no requests yet")
        else:
            p90 = "none" if health.p90 is None else f"{health.p90:.0f} ms"
            console.print(
                f"Endpoint: {health.errors} of {health.requests} failed within 30 minutes, "
                f"p90 {p90}, level {health.worst_level}"
            )
        for alert in alerts:
            console.print(Text(f"Alert: {alert.event} {alert.subject} {alert.message}"))

    return report, show


def _messages(given: Mapping[str, Any]) -> _Report:
    if not 1 <= given["limit"] <= _MOST:
        raise CommandError(f"--limit is 1 to {_MOST}.")
    rows = WhatsappMessage.objects.select_related("flow").defer("body").order_by("-created_at")
    if given["flow"]:
        rows = rows.filter(flow=find_flow(given["flow"]))
    if given["state"]:
        rows = rows.filter(state__in=given["state"])
    found = list(rows[: given["limit"]])
    return {"messages": [_facts(row) for row in found]}, lambda console: _table(found, console)


def _fetch_media(given: Mapping[str, Any]) -> _Report:
    row = by_id(MediaFile.objects.all(), given["file"]).first()
    if row is None:
        raise CommandError("There is no such file. Files are offered for an hour.")
    try:
        content = media.download(media.attachment_of(row))
        with Path(given["out"]).open("xb") as out:
            out.write(content)
    except media.MediaError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"{given['out']} cannot be written: {error.strerror}.") from None

    def show(console: Console) -> None:
        console.print(Text(f"{len(content)} bytes are written to {given['out']}."))

    return {"id": str(row.pk), "bytes": len(content), "path": given["out"]}, show


_VERBS: Final[dict[str, Callable[[Mapping[str, Any]], _Report]]] = {
    "send-flow": _send_flow,
    "upload-public-key": _upload,
    "check-public-key": _check,
    "status": _status,
    "messages": _messages,
    "fetch-media": _fetch_media,
}


# --- the parts -----------------------------------------------------------------------------


def _data(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not value:
        raise CommandError("--data is a JSON object with members.")
    return value


def _facts(message: WhatsappMessage) -> dict[str, Any]:
    flow: Flow = message.flow
    return {
        "id": str(message.pk),
        "flow": str(flow.pk),
        "address": flow.address,
        "kind": message.kind,
        "state": str(message.state),
        "recipient": f"…{message.recipient_tail}",
        "code": message.code,
        "meaning": meaning_of(message.code),
        "error": message.error,
        **{
            name: iso_time(getattr(message, name))
            for name in (
                "created_at",
                "accepted_at",
                "sent_at",
                "delivered_at",
                "read_at",
                "failed_at",
            )
        },
    }


def _key_facts(row: PhoneKey) -> dict[str, Any]:
    return {
        "phone_number_id": row.phone_number_id,
        "verdict": str(row.verdict),
        "fingerprint": row.fingerprint,
        "signature_status": row.signature_status,
        "checked_at": iso_time(row.checked_at),
        "error": row.error,
    }


def _health_facts(row: FlowHealth) -> dict[str, Any]:
    return {
        "requests": row.requests,
        "errors": row.errors,
        "p50_ms": row.p50,
        "p90_ms": row.p90,
        "requests_10_minutes": row.recent,
        "errors_10_minutes": row.recent_errors,
        "level": row.worst_level,
        "computed_at": iso_time(row.computed_at),
    }


def _key_report(row: PhoneKey) -> _Report:
    def show(console: Console) -> None:
        console.print(Text(f"Public key at Meta: {row.get_verdict_display()}"))
        console.print(Text(f"fingerprint {row.fingerprint or 'none'}"), soft_wrap=True)
        if row.error:
            console.print(Text(f"The last look failed: {row.error}"))

    return _key_facts(row), show


def _table(rows: list[WhatsappMessage], console: Console) -> None:
    table = Table(*_COLUMNS, box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(
            f"{row.created_at:%Y-%m-%d %H:%M}",
            Text(row.flow.address),
            row.kind,
            f"…{row.recipient_tail}",
            row.state,
            "" if row.code is None else str(row.code),
            str(row.pk),
        )
    console.width = max(console.width, _WIDTH)
    console.print(table, crop=False)
