"""What operators do with deliveries, from the command line: the same code as behind the admin.

With ``--json`` standard output carries exactly one JSON object, and nothing at all when the command
fails. Bodies and answers are never shown.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from callbacks import channels, operations, replaying
from callbacks.channels import CALLBACK
from callbacks.management import reports
from callbacks.management.selecting import (
    add_filters,
    find_endpoint,
    identity,
    narrows,
    selection,
)
from callbacks.models import Delivery, Endpoint, Replay, ReplayState
from tenants.actors import Actor
from tenants.management.naming import FLOW_HELP
from tenants.management.refusals import as_command_errors

_Report = tuple[Mapping[str, Any], Callable[[Console], None]]
#: Which deliveries a verb means where ``--state`` says nothing; none of these: all.
_STATES: Final[Mapping[str, tuple[str, ...]]] = {
    "list": (),
    "dead-letters": ("failed",),
    "retry": ("pending", "failed"),
    "cancel": ("pending",),
    "replay": ("failed",),
}
_LINES: Final = (
    *("id", "scheme", "address", "event", "state", "attempts", "last_error", "created_at"),
)
#: Seconds between two looks at a replay that a worker is at.
_LOOK_SECONDS: Final = 0.2
_REPLAY_LINES: Final = ("id", "state", "since", "until", "seen", "queued", "requested_by")
_ENDPOINT_LINES: Final = ("scheme", "address", "channel", "state", "breaker", "failures")


class Command(BaseCommand):
    """``manage.py delivery VERB …``."""

    help = "List deliveries, and do what the admin's buttons do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the verbs and their arguments."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        def add(name: str, text: str) -> ArgumentParser:
            verb: ArgumentParser = verbs.add_parser(name, help=text, description=text)
            verb.add_argument("--json", action="store_true", help="Print one JSON object.")
            return verb

        for name, text in (
            ("list", "List deliveries, the newest first."),
            ("dead-letters", "List what failed for good, the newest first."),
        ):
            verb = add(name, text)
            add_filters(verb, *_STATES[name])
            verb.add_argument("--limit", type=int, default=50, metavar="N", help="At most so many.")
        verb = add("show", "Show a delivery and its attempts.")
        verb.add_argument("delivery", type=identity, metavar="ID")
        for name, text in (
            ("retry", "Have deliveries tried again now: those named, or all that match."),
            ("cancel", "Have pending deliveries never be tried again."),
        ):
            verb = add(name, text)
            verb.add_argument("deliveries", nargs="*", type=identity, metavar="ID")
            add_filters(verb, *_STATES[name])
            verb.add_argument("--reason", default="", help="Stands in the audit trail.")
        verb = add("replay", "Send a range of deliveries again; the worker does it.")
        add_filters(verb, *_STATES["replay"])
        verb.add_argument("--reason", default="", help="Stands in the audit trail.")
        verb.add_argument(
            "--wait", action="store_true", help="Help the worker, and show how far it is."
        )
        verb = add("replays", "List replays, the newest first.")
        verb.add_argument("--limit", type=int, default=50, metavar="N", help="At most so many.")
        verb = add("cancel-replay", "End a replay where it is.")
        verb.add_argument("replay", type=identity, metavar="ID")
        verb.add_argument("--reason", default="", help="Stands in the audit trail.")
        add("endpoints", "List endpoints: their state and circuit breaker.")
        for name, text in (
            ("pause", "Send nothing until it is resumed; deliveries wait."),
            ("resume", "Go on with a paused endpoint."),
            ("enable", "Begin anew with one that is disabled or whose breaker is open."),
            ("test", "Send a test event."),
        ):
            verb = add(name, text)
            verb.add_argument("flow", metavar="FLOW", help=FLOW_HELP)
            verb.add_argument("--channel", choices=channels.names(), default=CALLBACK)
            if name != "test":
                needed = "Needed; stands" if name == "pause" else "Stands"
                verb.add_argument("--reason", default="", help=f"{needed} in the audit trail.")

    def handle(self, *args: Any, **given: Any) -> None:
        """Do the verb. Raises CommandError."""
        with as_command_errors():
            report, show = _VERBS[given["verb"]](given)
        if given["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            show(Console(file=cast("IO[str]", self.stdout), highlight=False))


# --- the verbs -----------------------------------------------------------------------------


def _list(given: Mapping[str, Any]) -> _Report:
    rows = selection(given).rows.select_related("flow").defer("body")
    chosen = rows.order_by("-created_at", "-pk")[: max(0, given["limit"])]
    facts = [reports.delivery(row) for row in chosen]
    return {"deliveries": facts}, lambda console: reports.table(facts, _LINES, console)


def _show(given: Mapping[str, Any]) -> _Report:
    rows = Delivery.objects.select_related("flow").defer("body")
    row = rows.filter(pk=given["delivery"]).first()
    if row is None:
        raise CommandError("There is no such delivery.")
    facts = reports.delivery(row)
    tries = [reports.attempt(each) for each in row.tries.defer("answer").order_by("number")]

    def show(console: Console) -> None:
        reports.sentences(facts, console)
        if tries:
            reports.table(tries, list(tries[0]), console)

    return {**facts, "tries": tries}, show


def _retry(given: Mapping[str, Any]) -> _Report:
    actor, ids, reason = Actor.command_line(), given["deliveries"], given["reason"]
    is_cancel = given["verb"] == "cancel"
    if bool(ids) == narrows(given):
        raise CommandError("Name deliveries by their ids, or say which: --state, --flow, --since…")
    if ids:
        count = (operations.cancel if is_cancel else operations.retry)(actor, ids, reason=reason)
    else:
        matching = operations.cancel_matching if is_cancel else operations.retry_matching
        with _bar() as bar:
            task = bar.add_task("Deliveries", total=None)
            count = matching(
                actor,
                selection(given),
                reason=reason,
                told=lambda done: bar.advance(task, done),
            )
    word = "cancelled" if is_cancel else "will be tried now"
    left = "" if not ids or count == len(ids) else f" of {len(ids)}"
    return {"deliveries": count}, lambda console: console.print(f"{count}{left} {word}.")


def _replay(given: Mapping[str, Any]) -> _Report:
    replay = operations.start_replay(Actor.command_line(), selection(given), reason=given["reason"])
    if given["wait"]:
        _wait(replay)
    facts = reports.replay(replay)
    return facts, lambda console: reports.sentences(facts, console)


def _wait(replay: Replay) -> None:
    """Do pieces here, beside the worker: each is done by one of them."""
    with _bar() as bar:
        task = bar.add_task("Replay", total=replay.total)
        while replay.state == ReplayState.RUNNING:
            if not replaying.do_piece(replay.pk):
                time.sleep(_LOOK_SECONDS)  # a worker is at it
            replay.refresh_from_db()
            bar.update(task, completed=replay.seen, total=replay.total)


def _replays(given: Mapping[str, Any]) -> _Report:
    rows = Replay.objects.select_related("client", "flow").order_by("-created_at")
    facts = [reports.replay(row) for row in rows[: max(0, given["limit"])]]
    return {"replays": facts}, lambda console: reports.table(facts, _REPLAY_LINES, console)


def _cancel_replay(given: Mapping[str, Any]) -> _Report:
    replay = operations.cancel_replay(Actor.command_line(), given["replay"], reason=given["reason"])
    facts = reports.replay(replay)
    return facts, lambda console: reports.sentences(facts, console)


def _endpoints(given: Mapping[str, Any]) -> _Report:
    rows = Endpoint.objects.select_related("flow").order_by("pk")
    facts = [reports.endpoint(row) for row in rows]
    return {"endpoints": facts}, lambda console: reports.table(facts, _ENDPOINT_LINES, console)


def _operate(given: Mapping[str, Any]) -> _Report:
    verb = {
        "pause": operations.pause,
        "resume": operations.resume,
        "enable": operations.enable,
    }[given["verb"]]
    endpoint = find_endpoint(given["flow"], given["channel"])
    facts = reports.endpoint(verb(Actor.command_line(), endpoint.pk, reason=given["reason"]))
    return facts, lambda console: reports.sentences(facts, console)


def _test(given: Mapping[str, Any]) -> _Report:
    endpoint = find_endpoint(given["flow"], given["channel"])
    facts = reports.delivery(operations.send_test(Actor.command_line(), endpoint.pk))
    return facts, lambda console: reports.sentences(facts, console)


def _bar() -> Progress:
    # To standard error: standard output is for the result.
    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


_VERBS: Final[dict[str, Callable[[Mapping[str, Any]], _Report]]] = {
    "list": _list,
    "dead-letters": _list,
    "show": _show,
    "retry": _retry,
    "cancel": _retry,
    "replay": _replay,
    "replays": _replays,
    "cancel-replay": _cancel_replay,
    "endpoints": _endpoints,
    "pause": _operate,
    "resume": _operate,
    "enable": _operate,
    "test": _test,
}
