"""Every verb on keys, from the command line: the same code as behind the admin's buttons.

A flow is written ``SCHEME/ADDRESS`` or by its id, a key version
``SCHEME/ADDRESS/PURPOSE/VERSION`` or by its id. With ``--json`` standard output carries exactly
one JSON object, and nothing at all when the command fails. Where a client's policy wants a second
person, the command asks for one and exits with status 3. Secrets are read from files or standard
input, never from arguments, which every user of the machine can see.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.text import Text

from tenants import lifecycle
from tenants.actors import Actor
from tenants.management import approval_verbs, asking, handover_verbs, key_report, waiting
from tenants.management.naming import FLOW_HELP, KEY_HELP, find_flow, find_key
from tenants.management.refusals import as_command_errors
from tenants.models import ApprovalRequest, Key, KeyState

#: Longest pasted secret, in bytes: an RSA-4096 key in PEM takes 3.3 kB.
_LONGEST: Final = 65_536


class Command(BaseCommand):
    """``manage.py key VERB …``."""

    help = "List the versions of keys, and do what the admin's buttons do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the verbs and their arguments."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

        def add(name: str, text: str, **more: Any) -> ArgumentParser:
            verb: ArgumentParser = verbs.add_parser(name, help=text, description=text, **more)
            verb.add_argument("--json", action="store_true", help="Print one JSON object.")
            return verb

        verb = add("list", "List versions, without their secrets.")
        verb.add_argument("--client", metavar="SLUG", help="Of this client only.")
        verb.add_argument("--flow", metavar="FLOW", help=f"Of this flow only: {FLOW_HELP}")
        verb.add_argument("--purpose", metavar="PURPOSE", help="For this purpose only.")
        verb.add_argument(
            "--state", action="append", choices=KeyState.values, help="May be given many times."
        )
        verb = add(
            "generate",
            "Make a new version and print what is handed over, this once. It is staged where the "
            "purpose has an active version, else active.",
            aliases=["stage"],
        )
        _of_flow(verb)
        verb.add_argument(
            "--version-number",
            type=int,
            metavar="N",
            help="Fail unless it becomes version N, so that a repeated call makes no second one.",
        )
        _takes_expiry(verb)
        verb = add("import", "Take a secret made elsewhere: a PEM, an AES key, a token.")
        _of_flow(verb)
        verb.add_argument(
            "--from-file",
            default="-",
            metavar="PATH",
            help="File with the secret. Default: standard input.",
        )
        verb.add_argument(
            "--passphrase-file", metavar="PATH", help="File with the passphrase of a private key."
        )
        _takes_expiry(verb)
        verb.add_argument("--reason", default="", help="Needed where a second person is.")
        asking.takes_break_glass(verb)
        verb = _of_key(add("promote", "Make a staged version the active one."))
        verb.add_argument(
            "--overlap-days",
            type=int,
            default=lifecycle.DEFAULT_OVERLAP.days,
            metavar="N",
            help="How long the version before still opens: 0 to "
            f"{lifecycle.LONGEST_OVERLAP.days}; default %(default)s.",
        )
        waiting.add_arguments(verb)
        verb.add_argument("--reason", default="", help="Needed where one in use ends at once.")
        _takes_confirmation(verb)
        verb = _of_key(add("retire", "End a staged or retiring version now."))
        verb.add_argument("--reason", default="", help="Stands in the audit trail.")
        _takes_confirmation(verb)
        verb = _of_key(add("revoke", "Stop a version from opening anything, at once."))
        verb.add_argument("--reason", required=True, help="Stands in the audit trail.")
        _takes_confirmation(verb)
        asking.takes_break_glass(verb)
        verb = _of_key(add("set-expiry", "Say by when a version should be replaced."))
        _takes_expiry(verb.add_mutually_exclusive_group(required=True)).add_argument(
            "--never", action="store_true", help="It need not be replaced by any day."
        )
        verb = _of_key(
            add("schedule-destruction", "Erase the material of a retired or revoked version later.")
        )
        verb.add_argument(
            "--days",
            type=int,
            default=lifecycle.DEFAULT_WAIT.days,
            metavar="N",
            help=f"In how many days: {lifecycle.SHORTEST_WAIT.days} to "
            f"{lifecycle.LONGEST_WAIT.days}; default %(default)s.",
        )
        verb.add_argument("--reason", required=True, help="Stands in the audit trail.")
        asking.takes_break_glass(verb)
        verb = _of_key(add("cancel-destruction", "Keep the material that waits to be erased."))
        verb.add_argument("--reason", default="", help="Stands in the audit trail.")
        _of_key(add("export-public", "Print the public half of an RSA version as PEM."))
        handover_verbs.add_arguments(verbs)
        approval_verbs.add_arguments(verbs)

    def handle(self, *args: Any, **given: Any) -> None:
        """Do the verb. Raises CommandError; then nothing was changed."""
        with as_command_errors():
            report, show = _VERBS[given["verb"]](given)
        if given["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            show(Console(file=cast("IO[str]", self.stdout), highlight=False))
        if report.get(asking.WAITS):
            sys.exit(asking.ASKED)


_Report = tuple[Mapping[str, Any], Callable[[Console], None]]


def _of_flow(verb: ArgumentParser) -> None:
    verb.add_argument("flow", metavar="FLOW", help=FLOW_HELP)
    verb.add_argument("purpose", metavar="PURPOSE", help="Such as api_key; see key list.")


def _of_key(verb: ArgumentParser) -> ArgumentParser:
    verb.add_argument("key", metavar="KEY", help=KEY_HELP)
    return verb


def _takes_expiry(verb: Any) -> Any:
    verb.add_argument(
        "--expires",
        default="",
        metavar="DATE",
        help="By when it should be replaced, such as 2031-01-31. It opens after that, too.",
    )
    return verb


def _takes_confirmation(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--confirm",
        default="",
        metavar="NAME",
        help='Ends a version that is in use all the same: its name, such as "api_key v1".',
    )


# --- the verbs -----------------------------------------------------------------------------


def _list(given: Mapping[str, Any]) -> _Report:
    keys = Key.objects.select_related("flow__client").defer("material")
    keys = keys.order_by("flow__scheme", "flow__address", "purpose", "-version")
    if given["client"]:
        keys = keys.filter(flow__client__slug=given["client"])
    if given["flow"]:
        keys = keys.filter(flow=find_flow(given["flow"]))
    if given["purpose"]:
        keys = keys.filter(purpose=given["purpose"])
    if given["state"]:
        keys = keys.filter(state__in=given["state"])
    return {"keys": [key_report.facts(key) for key in keys]}, lambda console: key_report.table(
        keys, console
    )


def _generate(given: Mapping[str, Any]) -> _Report:
    flow = find_flow(given["flow"])
    issued = lifecycle.generate_key(
        Actor.command_line(),
        flow,
        given["purpose"],
        version=given["version_number"],
        expires_at=lifecycle.read_expiry(given["expires"]),
    )

    def show(console: Console) -> None:
        key_report.say(issued.key, console)
        if issued.secret:
            console.print("[bold]To hand over, shown this once:[/bold]")
            console.print(Text(issued.secret), soft_wrap=True)

    return {**key_report.facts(issued.key), "secret": issued.secret or None}, show


def _import(given: Mapping[str, Any]) -> _Report:
    flow = find_flow(given["flow"])
    path = given["passphrase_file"]
    passphrase = _read(path).rstrip("\r\n") if path else ""
    purpose = given["purpose"]
    material = lifecycle.read_text(flow, purpose, _read(given["from_file"]), passphrase)
    lifecycle.check_material(flow, purpose, material)
    expires_at = lifecycle.read_expiry(given["expires"])
    return _done(
        asking.do_or_ask(
            given,
            lambda actor: lifecycle.insert_checked(
                actor, flow, purpose, material, expires_at=expires_at
            ),
            reason=given["reason"],
            material=material,
        )
    )


def _promote(given: Mapping[str, Any]) -> _Report:
    # Beyond what a timedelta takes it is too long as well.
    days = max(-1, min(given["overlap_days"], lifecycle.LONGEST_OVERLAP.days + 1))
    with waiting.shown() as on_look:
        promoted = lifecycle.promote_when_loaded(
            Actor.command_line(),
            find_key(given["key"]),
            seconds=given["wait"],
            overlap=timedelta(days=days),
            override=given["force"] or "",
            reason=given["reason"],
            confirmed_use=given["confirm"],
            on_look=on_look,
        )
    return _moved(promoted)


def _retire(given: Mapping[str, Any]) -> _Report:
    key = find_key(given["key"])
    return _moved(
        lifecycle.retire_key(
            Actor.command_line(), key, reason=given["reason"], confirmed_use=given["confirm"]
        )
    )


def _revoke(given: Mapping[str, Any]) -> _Report:
    key, reason, typed = find_key(given["key"]), given["reason"], given["confirm"]
    return _done(
        asking.do_or_ask(
            given,
            lambda actor: lifecycle.revoke_key(actor, key, reason=reason, confirmed_use=typed),
            reason=reason,
        )
    )


def _set_expiry(given: Mapping[str, Any]) -> _Report:
    expires_at = lifecycle.read_expiry(given["expires"])
    if expires_at is None and not given["never"]:
        raise CommandError("Give a date to --expires, or say --never.")
    key = find_key(given["key"])
    return _moved(lifecycle.set_key_expiry(Actor.command_line(), key, expires_at=expires_at))


def _schedule_destruction(given: Mapping[str, Any]) -> _Report:
    key, days, reason = find_key(given["key"]), given["days"], given["reason"]
    return _done(
        asking.do_or_ask(
            given,
            lambda actor: lifecycle.schedule_destruction(actor, key, days=days, reason=reason),
            reason=reason,
        )
    )


def _cancel_destruction(given: Mapping[str, Any]) -> _Report:
    key = find_key(given["key"])
    return _moved(lifecycle.cancel_destruction(Actor.command_line(), key, reason=given["reason"]))


def _export_public(given: Mapping[str, Any]) -> _Report:
    key = find_key(given["key"])
    if not key.public_pem:
        raise lifecycle.LifecycleError(f"{key.title} has no public half.", key=key)

    def show(console: Console) -> None:
        console.print(Text(key.public_pem.rstrip("\n")), soft_wrap=True)

    return {**key_report.facts(key), "public_key_pem": key.public_pem}, show


_VERBS: Final[dict[str, Callable[[Mapping[str, Any]], _Report]]] = {
    "list": _list,
    "generate": _generate,
    "stage": _generate,
    "import": _import,
    "promote": _promote,
    "retire": _retire,
    "revoke": _revoke,
    "set-expiry": _set_expiry,
    "schedule-destruction": _schedule_destruction,
    "cancel-destruction": _cancel_destruction,
    "export-public": _export_public,
    "handover": handover_verbs.run,
    "approvals": approval_verbs.run,
}


# --- the parts -----------------------------------------------------------------------------


def _read(path: str) -> str:
    """Return a short text from a file or, for ``-``, from standard input."""
    try:
        if path == "-":
            raw = sys.stdin.buffer.read(_LONGEST + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(_LONGEST + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read ({type(error).__name__}).") from None
    if len(raw) > _LONGEST:
        raise CommandError(f"{path} is too long to be a key.")
    return text


def _done(done: Key | ApprovalRequest) -> _Report:
    """Return the report of a verb that may have been asked for instead."""
    return asking.asked(done) if isinstance(done, ApprovalRequest) else _moved(done)


def _moved(key: Key) -> _Report:
    return key_report.facts(key), lambda console: key_report.say(key, console)
