"""Play the partners against a server; exit 0 only when everything was as expected."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Final

from crypto_schemes import registry
from crypto_schemes.errors import KeyMaterialError
from script.partner_demo import citcall, flynn, isu, kairos, whatsapp_flows
from script.partner_demo.play import Play, perform
from script.partner_demo.provisioning import Provisioned, ProvisioningError, provision
from script.partner_demo.receiver import Inbox, Receiver
from script.partner_demo.screen import Outcome, Screen
from script.partner_demo.server import NoServerError, Server, running

_MODULES: Final = (kairos, citcall, isu, whatsapp_flows, flynn)
PLAYS: Final[dict[str, Play]] = {module.PLAY.scheme: module.PLAY for module in _MODULES}
#: Exit codes: as expected, something is off, nothing could be played.
AS_EXPECTED, OFF, NOT_PLAYED = 0, 1, 2


_OTHER_DATABASE: Final = (
    "Not one first request was served. If the server works on another database than the demo, "
    "give the demo the server's environment (SEALGATE_VAR, DATABASE_URL, SEALGATE_MASTER_KEYS)."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = _parser().parse_args(arguments)
    screen = Screen(plain=given.plain, picture=given.svg is not None)
    plays = [PLAYS[name] for name in registry.NAMES if name in (given.only or PLAYS)]
    try:
        with (
            Receiver() as receiver,
            running(given.url.rstrip("/"), screen, given.callback_seconds) as server,
        ):
            _announce(screen, server)
            outcomes = _play_all(plays, server, receiver, screen, given.callback_seconds)
    except (NoServerError, ProvisioningError, KeyMaterialError) as error:
        screen.sorry(str(error))
        return NOT_PLAYED
    screen.in_picture = True
    screen.closing(outcomes)
    if not server.is_own and all(outcome.fault and outcome.requests <= 1 for outcome in outcomes):
        screen.say(_OTHER_DATABASE)
    if given.svg is not None:
        screen.save_picture(given.svg, "script/demo")
    return OFF if any(outcome.fault for outcome in outcomes) else AS_EXPECTED


def _play_all(
    plays: Sequence[Play],
    server: Server,
    receiver: Receiver,
    screen: Screen,
    callback_seconds: float,
) -> list[Outcome]:
    inboxes = [receiver.inbox(f"/callbacks/{play.scheme}") for play in plays]
    with screen.waiting("An administrator makes a client, a flow and keys for each protocol"):
        handed_over = _provision_all(plays, server, receiver, inboxes)
    outcomes = []
    for play, inbox, provisioned in zip(plays, inboxes, handed_over, strict=True):
        inbox.secret = provisioned.callback_secret
        inbox.reply = play.callback_reply
        outcomes.append(
            perform(
                play,
                provisioned,
                inbox,
                base_url=server.url,
                screen=screen,
                callback_seconds=callback_seconds,
            )
        )
        screen.print()
        # The picture shows one protocol in full, and the table of all.
        screen.in_picture = False
    return outcomes


def _provision_all(
    plays: Sequence[Play], server: Server, receiver: Receiver, inboxes: Sequence[Inbox]
) -> list[Provisioned]:
    # Most of the time goes into starting Django and making RSA keys: two at once.
    with ThreadPoolExecutor(max_workers=2) as pool:
        urls = [receiver.url(inbox) for inbox in inboxes]
        return list(pool.map(lambda play, url: provision(server, play.scheme, url), plays, urls))


def _announce(screen: Screen, server: Server) -> None:
    note = "started for this demo" if server.is_own else "already running"
    if not server.has_worker:
        note += ", but its worker gives no sign of life: callbacks may not come"
    screen.opening(server.url, note)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/demo",
        description="Play one partner of each protocol over HTTP, step by step.",
        epilog="Exit code: 0 as expected, 1 something is off, 2 nothing could be played.",
    )
    parser.add_argument(
        "--url",
        default="",
        help="base URL of a running server (default: the one at http://127.0.0.1:$PORT, or that "
        "script/server was started at last; where none answers, one is started and ended again)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(PLAYS), metavar="PROTOCOL", help=", ".join(PLAYS)
    )
    parser.add_argument(
        "--svg", type=Path, metavar="FILE", help="write a picture of the run as SVG"
    )
    parser.add_argument(
        "--plain", action="store_true", help="no colours, no frames, nothing that moves"
    )
    parser.add_argument(
        "--callback-seconds",
        type=float,
        default=60.0,
        metavar="N",
        help="how long to wait for a callback (default: 60)",
    )
    return parser


def _end(number: int, _: FrameType | None) -> None:
    # As an exception, so that a server that was started is ended too.
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
