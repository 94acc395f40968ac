"""What the platform posts to a webhook: statuses, completed forms, alerts; signed as it signs."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

ACCOUNT = "100000000000001"


def delivery(*changes: Mapping[str, Any], at: float | None = None) -> dict[str, Any]:
    """Return one delivery with these changes."""
    moment = int(time.time() if at is None else at)
    entry = {"id": ACCOUNT, "time": moment, "changes": list(changes)}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def _messages(phone_number_id: str, **members: Any) -> dict[str, Any]:
    metadata = {"display_phone_number": "15550783881", "phone_number_id": phone_number_id}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **members}
    return {"field": "messages", "value": value}


def status(
    wamid: str,
    name: str,
    *,
    phone_number_id: str = "106540352242922",
    to: str = "15550001111",
    at: float | None = None,
    opaque: str = "",
    code: int | None = None,
) -> dict[str, Any]:
    """Return the change that tells the status of a message; ``code`` for a failed one."""
    said: dict[str, Any] = {
        "id": wamid,
        "status": name,
        "timestamp": str(int(time.time() if at is None else at)),
        "recipient_id": to,
    }
    if opaque:
        said["biz_opaque_callback_data"] = opaque
    if code is not None:
        said["errors"] = [{"code": code, "title": "told to fail"}]
    return _messages(phone_number_id, statuses=[said])


def form_reply(
    params: Mapping[str, Any] | str,
    *,
    context_id: str = "",
    sender: str = "15550001111",
    phone_number_id: str = "106540352242922",
    wamid: str = "",
    at: float | None = None,
) -> dict[str, Any]:
    """Return the change of a user's completed form (``nfm_reply``).

    ``params`` as a text is taken for ``response_json`` as it is. A sender with a dot is a
    business-scoped id: then no phone number is told.
    """
    text = params if isinstance(params, str) else json.dumps(params)
    message: dict[str, Any] = {
        "id": wamid or new_wamid(),
        "timestamp": str(int(time.time() if at is None else at)),
        "type": "interactive",
        "interactive": {
            "type": "nfm_reply",
            "nfm_reply": {"name": "flow", "body": "Sent", "response_json": text},
        },
    }
    named = "from_user_id" if "." in sender else "from"
    message[named] = sender
    if context_id:
        message["context"] = {"from": "15550783881", "id": context_id}
    contact = {"profile": {"name": "Sheena"}, "user_id" if "." in sender else "wa_id": sender}
    return _messages(phone_number_id, contacts=[contact], messages=[message])


def text_message(body: str, *, sender: str = "15550001111", wamid: str = "") -> dict[str, Any]:
    """Return the change of a text a user wrote."""
    message = {
        "from": sender,
        "id": wamid or new_wamid(),
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": body},
    }
    return _messages("106540352242922", messages=[message])


def alert(event: str, **members: Any) -> dict[str, Any]:
    """Return the change of an alert about a flow."""
    value = {"event": event, "flow_id": "200000000000002", "message": f"{event} …", **members}
    return {"field": "flows", "value": value}


def new_wamid() -> str:
    """Return a message id as the platform makes them."""
    return f"wamid.{secrets.token_urlsafe(40)}"


def sign(body: bytes, app_secret: str) -> str:
    """Return the value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def post(
    url: str, app_secret: str, changes: Sequence[Mapping[str, Any]], *, seconds: float = 30
) -> tuple[int, float]:
    """Post the changes in one delivery; return the status and how many seconds it took."""
    body = json.dumps(delivery(*changes)).replace("/", "\\/").encode()
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=seconds)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "facebookexternalua",
        "X-Hub-Signature-256": sign(body, app_secret),
    }
    started = time.perf_counter()
    try:
        connection.request("POST", parts.path, body, headers)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.status, time.perf_counter() - started
