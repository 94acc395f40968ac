"""Make a flow, and its client where there is none, from the command line.

For automation: with ``--json`` standard output carries exactly one JSON object, and nothing
at all when the command fails. Its members ``scheme``, ``url`` and ``credentials`` are the object
that partners get from a hand-over.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crypto_schemes import json_text, registry
from crypto_schemes.errors import OptionsError
from crypto_schemes.json_text import JSONTextError
from crypto_schemes.scheme import CALLBACK_SIGNING, UPSTREAM_SIGNING
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow, PartnerBundle
from tenants.management.refusals import as_command_errors
from tenants.models import Backend, Client


class Command(BaseCommand):
    """``manage.py provision SCHEME --client SLUG``."""

    help = (
        "Make a flow with its first keys and print what its partner needs. The secrets are "
        "shown this once. The client is created when there is none of that name."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument(
            "scheme", metavar="SCHEME", help=f"The contract: {', '.join(registry.NAMES)}."
        )
        parser.add_argument("--client", required=True, metavar="SLUG", help="The client's slug.")
        parser.add_argument(
            "--address", default="", metavar="A", help="Unique in the contract; made if left out."
        )
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="An option of the contract; may be given many times. The value is JSON where "
            "it is JSON and the option takes it so, else text.",
        )
        parser.add_argument(
            "--backend",
            metavar="sandbox|upstream|DOTTED.PATH",
            help="Who does the business: the vendor's imitation, your own service, or a Python "
            "class. Default: upstream where --upstream-url is given, else sandbox.",
        )
        parser.add_argument(
            "--upstream-url", default="", metavar="URL", help="Where the opened JSON is posted."
        )
        parser.add_argument(
            "--callback-url", default="", metavar="URL", help="Where results are posted."
        )
        parser.add_argument(
            "--allow-network",
            action="append",
            default=[],
            metavar="CIDR",
            help="A network that may call; may be given many times. Without one anybody may.",
        )
        parser.add_argument(
            "--callback-secret",
            action="store_true",
            help="Add callback_signing to the credentials: what callbacks are signed with. It is "
            "always there with --callback-url.",
        )
        parser.add_argument(
            "--upstream-secret",
            action="store_true",
            help="Add upstream_signing: what calls to your own service are signed with. It is for "
            "that service, never for the partner.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *args: Any, **given: Any) -> None:
        """Make the flow and print it. Raises CommandError; then nothing was changed."""
        scheme = given["scheme"]
        if scheme not in registry.NAMES:
            raise CommandError(
                f"There is no contract {scheme}. There are: {', '.join(registry.NAMES)}."
            )
        with as_command_errors():
            issued = lifecycle.create_flow(
                Actor.command_line(),
                Client.objects.filter(slug=given["client"]).first() or Client(slug=given["client"]),
                scheme,
                address=given["address"],
                options=_options(scheme, given["option"]),
                callback_url=given["callback_url"],
                allowed_networks=given["allow_network"],
                **_backend(given["backend"], given["upstream_url"]),
            )
        report = _report(
            issued,
            # Who is called back has to verify it, and the secret is shown this once.
            with_callback_secret=given["callback_secret"] or bool(given["callback_url"]),
            with_upstream_secret=given["upstream_secret"],
        )
        if given["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False))
        else:
            _show(report, Console(file=cast("IO[str]", self.stdout), highlight=False))


def _backend(name: str | None, upstream_url: str) -> dict[str, str]:
    """Return the fields of the flow that ``--backend`` and ``--upstream-url`` stand for."""
    name = name or (Backend.UPSTREAM if upstream_url else Backend.SANDBOX)
    if upstream_url and name != Backend.UPSTREAM:
        raise CommandError("--upstream-url goes with --backend upstream.")
    if name in {Backend.SANDBOX, Backend.UPSTREAM}:
        return {"backend": name, "upstream_url": upstream_url}
    return {"backend": Backend.PYTHON, "backend_class": name}


def _options(scheme: str, given: list[str]) -> dict[str, Any]:
    """Return the options as the contract takes them: JSON where it is, else the text itself.

    Raises CommandError or OptionsError.
    """
    texts: dict[str, str] = {}
    for item in given:
        name, separator, text = item.partition("=")
        if not separator or not name:
            raise CommandError(f"--option {name}: write it as NAME=VALUE.")
        if name in texts:
            raise CommandError(f"--option {name} is given twice.")
        texts[name] = text
    values = {name: _value(text) for name, text in texts.items()}
    options_type = registry.get(scheme).options_type
    try:
        options_type.from_mapping(values)
    except OptionsError as error:
        # A text that happens to be JSON (a number, true) may be meant as the text it is.
        wrong = {name for name, _ in error.problems}
        values = {name: texts[name] if name in wrong else values[name] for name in values}
        options_type.from_mapping(values)
    return values


def _value(text: str) -> Any:
    try:
        return json_text.parse(text.encode("utf-8"))
    except (JSONTextError, UnicodeEncodeError):
        return text


def _report(
    issued: IssuedFlow, *, with_callback_secret: bool, with_upstream_secret: bool
) -> dict[str, Any]:
    flow = issued.flow
    left_out = "" if with_callback_secret else CALLBACK_SIGNING.credential_name
    extra = tuple(item for item in issued.extra if item.name != left_out)
    own = {UPSTREAM_SIGNING.credential_name: issued.upstream_secret}
    return {
        "client": flow.client.slug,
        "flow": str(flow.pk),
        "address": flow.address,
        "path": flow.main_path,
        **PartnerBundle(credentials=issued.credentials, extra=extra).document(flow),
        **({"own_service": own} if with_upstream_secret else {}),
    }


def _show(report: Mapping[str, Any], console: Console) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name in ("client", "flow", "scheme", "address"):
        table.add_row(name, Text(report[name]))
    table.add_row("URL", Text(report["url"]))
    console.print(table)
    console.print("\n[bold]Credentials, shown this once.[/bold] Hand them over safely.")
    for name, value in report["credentials"].items():
        _show_secret(name, value, console)
    if own := report.get("own_service"):
        console.print(
            "\n[bold]For your own service, shown this once.[/bold] It is not for the partner."
        )
        for name, value in own.items():
            _show_secret(name, value, console)


def _show_secret(name: str, value: str, console: Console) -> None:
    console.print(f"\n[bold]{name}[/bold]")
    console.print(Text(value), soft_wrap=True)
