"""The stand-in itself: what it was sent, how it is told to fail, and what it answers."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

from tests.cloud_api import rules, webhooks
from tests.cloud_api.handler import Server
from tests.cloud_api.rules import CloudError

#: How long a user's message lets the business answer, in seconds.
WINDOW = 24 * 3600
#: Requests and messages that are kept to be looked at.
MOST_KEPT = 10_000


@dataclass(frozen=True)
class Seen:
    """One request, taken or refused. ``token`` is the Bearer token; empty without one."""

    method: str
    path: str
    token: str = field(repr=False)
    status: int
    code: int | None
    at: float


@dataclass(frozen=True)
class Taken:
    """One message that was accepted."""

    wamid: str
    phone_number_id: str
    to: str
    body: Mapping[str, Any]
    at: float


@dataclass
class _Failure:
    """Refuse with an error code: so many times (None: always), or a share of the requests."""

    error: CloudError
    to: str
    times: int | None
    share: float

    def strikes(self, to: str, chance: random.Random) -> bool:
        if self.times == 0 or (self.to and self.to != to) or chance.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class CloudApi:
    """The server, on a free port unless told otherwise. Use as a context, or start and stop it.

    ``tokens`` maps a Bearer token to the phone number ids it may use; without it any token does.
    ``nested`` answers the read-back of a public key inside ``data[]``. With ``keeps_window`` a
    number must have written within 24 hours (:meth:`heard_from`). ``clock`` is Unix time.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Mapping[str, set[str]] | None = None,
        nested: bool = False,
        keeps_window: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = tokens
        self.nested = nested
        self.keeps_window = keeps_window
        self.delay = 0.0
        #: Statuses that are posted by themselves after a message was taken.
        self.automatic: tuple[str, ...] = ()
        self._clock = clock
        self._chance = random.Random(7)
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._hooks: dict[str, tuple[str, str]] = {}
        self._server = Server((host, port), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self.url = f"http://{host}:{self._server.server_address[1]}"
        self.forget()

    # -- what tests say and see --------------------------------------------------------------

    def forget(self) -> None:
        """Begin anew: nothing sent, nothing uploaded, no failures."""
        with self._lock:
            self.seen: list[Seen] = []
            self.messages: list[Taken] = []
            self.keys: dict[str, str] = {}
            self.signature_status: dict[str, str] = {}
            self._failures: list[_Failure] = []
            self._heard: dict[str, float] = {}

    def fail(
        self,
        code: int,
        *,
        times: int | None = 1,
        to: str = "",
        share: float = 1.0,
        status: int | None = None,
    ) -> None:
        """Refuse with ``error.code`` ``code``: the next ``times`` requests (None: all of them),
        only those for the number ``to``, or at random a ``share``."""
        with self._lock:
            self._failures.append(_Failure(CloudError(code, status=status), to, times, share))

    def heard_from(self, number: str, at: float | None = None) -> None:
        """Open the 24-hour window of ``number``."""
        self._heard[number] = self._clock() if at is None else at

    def use_webhook(self, phone_number_id: str, url: str, app_secret: str) -> None:
        """Post what happens at ``phone_number_id`` to ``url``, signed with ``app_secret``."""
        self._hooks[phone_number_id] = (url, app_secret)

    def send_updates(self, phone_number_id: str, *changes: Mapping[str, Any]) -> tuple[int, float]:
        """Post changes to the webhook in one delivery; return status and seconds."""
        url, app_secret = self._hooks[phone_number_id]
        return webhooks.post(url, app_secret, changes)

    def send_status(self, wamid: str, *names: str, code: int | None = None) -> int:
        """Post statuses of a message, in this order, in one delivery; return the HTTP status."""
        taken = next(message for message in self.messages if message.wamid == wamid)
        changes = [
            webhooks.status(
                wamid,
                name,
                phone_number_id=taken.phone_number_id,
                to=taken.to,
                opaque=str(taken.body.get("biz_opaque_callback_data", "")),
                code=code,
            )
            for name in names
        ]
        return self.send_updates(taken.phone_number_id, *changes)[0]

    def send_reply(
        self, wamid: str, params: Mapping[str, Any] | None = None, *, with_token: bool = True
    ) -> int:
        """Have the user complete the form of a flow message; return the HTTP status.

        It opens the window, as every message of a user does.
        """
        taken = next(message for message in self.messages if message.wamid == wamid)
        said = dict(params or {})
        if with_token:
            action = taken.body["interactive"]["action"]["parameters"]
            said = {"flow_token": action["flow_token"], **said}
        self.heard_from(taken.to)
        change = webhooks.form_reply(
            said, context_id=wamid, sender=taken.to, phone_number_id=taken.phone_number_id
        )
        return self.send_updates(taken.phone_number_id, change)[0]

    def wait_for(self, count: int, seconds: float = 10) -> list[Taken]:
        """Return the messages once there are ``count``."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.messages) >= count, seconds)
            assert arrived, f"{len(self.messages)} of {count} messages were taken"
            return list(self.messages)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> CloudApi:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- for the handler -----------------------------------------------------------------------

    def answer(
        self, method: str, path: str, token: str, content_type: str, body: Any, raw: bytes
    ) -> tuple[int, Any]:
        """Return HTTP status and JSON of one request to the API."""
        time.sleep(self.delay)
        code: int | None = None
        try:
            status, said = 200, self._serve(method, path, token, content_type, body, raw)
        except CloudError as error:
            status, said, code = error.status, error.as_json(), error.code
        with self._arrived:
            self.seen.append(Seen(method, path, token, status, code, self._clock()))
            del self.seen[:-MOST_KEPT], self.messages[:-MOST_KEPT]
            self._arrived.notify_all()
        return status, said

    def _serve(
        self, method: str, path: str, token: str, content_type: str, body: Any, raw: bytes
    ) -> Any:
        parts = path.strip("/").split("/")
        if len(parts) != 3 or not rules.VERSION.fullmatch(parts[0]):
            raise CloudError(100, "Unknown path components.")
        _, phone_number_id, edge = parts
        self._admit(token, phone_number_id)
        to = body.get("to", body.get("recipient", "")) if isinstance(body, dict) else ""
        self._fail_as_told(str(to).lstrip("+"))
        if edge == "messages" and method == "POST":
            return self._take(phone_number_id, body)
        if edge == "whatsapp_business_encryption" and method == "POST":
            return self._take_key(phone_number_id, content_type, raw)
        if edge == "whatsapp_business_encryption" and method == "GET":
            return self._read_key(phone_number_id)
        raise CloudError(100, "Unsupported request.")

    def _admit(self, token: str, phone_number_id: str) -> None:
        if not token or (self.tokens is not None and token not in self.tokens):
            raise CloudError(190, "The access token is missing, invalid or expired.")
        if not phone_number_id.isdecimal():
            raise CloudError(100, "The phone number id does not exist.")
        if self.tokens is not None and phone_number_id not in self.tokens[token]:
            raise CloudError(200, "The token has no permission for this phone number.")

    def _fail_as_told(self, to: str) -> None:
        with self._lock:
            for failure in self._failures:
                if failure.strikes(to, self._chance):
                    raise failure.error

    def _take(self, phone_number_id: str, body: Any) -> Any:
        rules.check_message(body)
        to = rules.recipient_of(body)
        now = self._clock()
        if self.keeps_window and now - self._heard.get(to, float("-inf")) >= WINDOW:
            raise CloudError(131047, "More than 24 hours since the user last replied.")
        taken = Taken(webhooks.new_wamid(), phone_number_id, to, body, now)
        with self._arrived:
            self.messages.append(taken)
            self._arrived.notify_all()
        if self.automatic and phone_number_id in self._hooks:
            threading.Thread(target=self.send_status, args=(taken.wamid, *self.automatic)).start()
        return {
            "messaging_product": "whatsapp",
            "contacts": [{"input": body.get("to", body.get("recipient")), "wa_id": to}],
            "messages": [{"id": taken.wamid}],
        }

    def _take_key(self, phone_number_id: str, content_type: str, raw: bytes) -> Any:
        if content_type.partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise CloudError(100, "Send the key as a form.")
        pem = parse_qs(raw.decode("ascii", "replace")).get("business_public_key", [""])[0]
        if not pem:
            raise CloudError(100, "business_public_key is missing.")
        rules.check_public_key(pem)
        self.keys[phone_number_id] = pem
        self.signature_status[phone_number_id] = "VALID"
        return {"success": True}

    def _read_key(self, phone_number_id: str) -> Any:
        pem = self.keys.get(phone_number_id)
        said: dict[str, Any] = {}
        if pem is not None:
            said = {
                "business_public_key": pem,
                "business_public_key_signature_status": self.signature_status[phone_number_id],
            }
        return {"data": [said] if said else []} if self.nested else said
