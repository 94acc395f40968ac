"""HTTP of the stand-in: the API itself, and below ``/_stand_in`` what it is told by hand."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tests.cloud_api.server import CloudApi

LONGEST = 1_000_000


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], cloud: CloudApi) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.cloud = cloud
        super().__init__(address, Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the play."""


class Handler(BaseHTTPRequestHandler):
    """Reads a request, has it answered, writes the answer."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > LONGEST:
            self.close_connection = True
            self._reply(413, {})
            return
        self._serve(self.rfile.read(length))

    def _serve(self, raw: bytes) -> None:
        cloud = cast(Server, self.server).cloud
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = None
        path = self.path.partition("?")[0]
        if path.startswith("/_stand_in/"):
            self._reply(*_told(cloud, self.command, path.removeprefix("/_stand_in/"), body or {}))
            return
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        status, said = cloud.answer(
            self.command,
            path,
            token if scheme == "Bearer" else "",
            self.headers.get("Content-Type", ""),
            body,
            raw,
        )
        self._reply(status, said)

    def _reply(self, status: int, said: Any) -> None:
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent."""


def _told(cloud: CloudApi, method: str, what: str, said: Any) -> tuple[int, Any]:
    """Do by HTTP what tests do by methods; return status and JSON."""
    try:
        if method == "GET" and what == "messages":
            shown = [{"wamid": m.wamid, "to": m.to, "body": m.body} for m in cloud.messages]
            return 200, {"messages": shown}
        if method == "GET" and what == "keys":
            return 200, {"keys": cloud.keys}
        verbs: dict[str, Callable[..., None]] = {
            "fail": cloud.fail,
            "webhook": cloud.use_webhook,
            "heard-from": cloud.heard_from,
            "forget": cloud.forget,
        }
        if method == "POST" and what in verbs:
            verbs[what](**said)
            return 200, {"done": True}
        if method == "POST" and what == "status":
            return 200, {"answered": cloud.send_status(said["wamid"], *said["statuses"])}
        if method == "POST" and what == "reply":
            return 200, {"answered": cloud.send_reply(said["wamid"], said.get("params"))}
    except (TypeError, KeyError, StopIteration, OSError) as error:
        return 400, {"wrong": f"{type(error).__name__}: {error}"}
    return 404, {}
