"""The partner's callback address: a real HTTP server that trusts nobody without a signature.

Callbacks are signed after Standard Webhooks (https://www.standardwebhooks.com): the headers
``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` carry HMAC-SHA-256 over
``id.timestamp.body``. A delivery may come more than once; its ``webhook-id`` then repeats.
"""

from __future__ import annotations

import binascii
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from crypto_schemes import base64_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import mac

_LONGEST_BODY: Final = 1024 * 1024
#: How old or early a signature may be, in seconds.
_WINDOW: Final = 300


class SignatureError(Exception):
    """A callback is not signed by the one who holds the secret. The message says why."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One delivery whose signature fitted. Header names are lower case, otherwise as sent."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Return the id that repeats when the same callback comes again."""
        return self.headers["webhook-id"]


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Return the ``v1`` signature: base64 of HMAC-SHA-256 under what follows ``whsec_``."""
    key = base64_text.decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64_text.encode(mac.sha256(key, signed))


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
    """Check the signature over ``body``. Raises SignatureError."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    values = [headers.get(name, "") for name in names]
    for name, value in zip(names, values, strict=True):
        if not value:
            raise SignatureError(f"the header {name} is missing")
    message_id, timestamp, signatures = values
    if not timestamp.isdecimal() or abs(now - int(timestamp)) > _WINDOW:
        raise SignatureError(f"webhook-timestamp is more than {_WINDOW} seconds off")
    expected = signature(secret, message_id, timestamp, body)
    # During a rotation the sender signs under both secrets, with a blank between.
    if mac.equal_any(signatures.split(), expected) is None:
        raise SignatureError("webhook-signature does not fit the body")


@dataclass
class Inbox:
    """The callbacks of one flow. ``secret`` and ``reply`` are set before the first may come."""

    path: str
    secret: str = field(default="", repr=False)
    #: What the contract wants as an answer.
    reply: bytes = b"{}"
    refused: list[str] = field(default_factory=list)
    _taken: dict[str, Callback] = field(default_factory=dict, repr=False)
    _news: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def take(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Keep a delivery when its signature fits; return whether it did."""
        try:
            verify(self.secret, headers, body, now=time.time())
        except (SignatureError, Base64TextError, binascii.Error) as error:
            self.refused.append(str(error))
            return False
        callback = Callback(self.path, headers, body)
        with self._news:
            self._taken.setdefault(callback.id, callback)
            self._news.notify_all()
        return True

    def wait(self, seconds: float, fits: Callable[[Callback], bool]) -> Callback | None:
        """Return the first callback that ``fits``, or None when none came within ``seconds``."""
        found: list[Callback] = []

        def look() -> bool:
            found[:] = [callback for callback in self._taken.values() if fits(callback)]
            return bool(found)

        with self._news:
            self._news.wait_for(look, timeout=seconds)
        return found[0] if found else None


class Receiver:
    """An HTTP server on a free port of the loopback interface, with an inbox for each path."""

    def __init__(self) -> None:
        self._inboxes: dict[str, Inbox] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self._inboxes))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def inbox(self, path: str) -> Inbox:
        """Return a new inbox for deliveries to ``path``."""
        inbox = self._inboxes[path] = Inbox(path)
        return inbox

    def url(self, inbox: Inbox) -> str:
        """Return the address of ``inbox``."""
        return f"http://127.0.0.1:{self._server.server_port}{inbox.path}"


def _handler_for(inboxes: Mapping[str, Inbox]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Hands a POST to the inbox of its path."""

        timeout = 10

        def do_POST(self) -> None:
            """Answer 200 to what is signed, 401 to what is not."""
            inbox = inboxes.get(self.path)
            length = self.headers.get("content-length", "")
            if inbox is None:
                self._reply(404)
            elif not length.isdecimal() or int(length) > _LONGEST_BODY:
                self._reply(413)
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                if inbox.take(headers, self.rfile.read(int(length))):
                    self._reply(200, inbox.reply)
                else:
                    self._reply(401)

        def _reply(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the terminal to the demo."""

    return Handler
