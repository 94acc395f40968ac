"""What the opened requests of a WhatsApp flow say, read once into a typed value.

Source: Meta, "WhatsApp Flows: implementing your endpoint" (data exchange request,
error notification request, health check).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crypto_schemes.errors import OpenError
from crypto_schemes.json_text import JSONValue

PING = "ping"
INIT = "INIT"
BACK = "BACK"
DATA_EXCHANGE = "data_exchange"
NAVIGATE = "navigate"

#: The screen name that ends a flow.
SUCCESS = "SUCCESS"

#: Error keys a phone reports by themselves, without a message beside them.
ERROR_KEYS = frozenset(
    {
        "response-decryption-error",
        "invalid-screen-transition",
        "payload-schema-error",
        "components-validation-error",
    }
)
#: Longest text message the platform takes, in characters.
MAX_SUMMARY = 4096
#: Longest value filled into a summary, in characters.
MAX_VALUE = 1000
#: Longest text and button of a message that opens a form, in characters.
MAX_FLOW_MESSAGE = 1024
MAX_FLOW_CTA = 30

#: Line end, and the joiners that Indic scripts and emoji are written with.
_JOINERS = frozenset("\n\u200c\u200d")
_ACTIONS = frozenset({PING, INIT, BACK, DATA_EXCHANGE})
_VERSIONS = frozenset({"3.0", "4.0"})
_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_]{1,64})\}")


@dataclass(frozen=True, slots=True)
class ErrorNotification:
    """A phone's report that it could not use an earlier reply."""

    key: str
    message: str


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """One opened request. ``flow_token`` is None where the phone sent none."""

    version: str
    action: str
    screen: str
    flow_token: str | None = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    error: ErrorNotification | None = None

    @property
    def is_ping(self) -> bool:
        """Return whether this is the platform's health check."""
        return self.action == PING and self.error is None


def read_error(payload: JSONValue) -> ErrorNotification | None:
    """Return the error notification in ``payload``, or None where it is not one.

    A form may own a field named ``error``, so a message must stand beside it or the
    key must be one of :data:`ERROR_KEYS`.
    """
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(data, dict):
        return None
    message = data.get("error_message")
    for name in ("error", "error_key"):
        key = data.get(name)
        if isinstance(key, str) and (isinstance(message, str) or key in ERROR_KEYS):
            return ErrorNotification(key, message if isinstance(message, str) else "")
    return None


def needs_no_token(payload: JSONValue) -> bool:
    """Return whether ``payload`` is a ping or an error notification: no user is behind it."""
    if not isinstance(payload, dict):
        return False
    return payload.get("action") == PING or read_error(payload) is not None


def read_request(payload: JSONValue) -> FlowRequest:
    """Return the request in ``payload``.

    ``screen``, ``data`` and ``flow_token`` may be missing or null. Raises OpenError
    (code ``payload``) for members of another type, an unknown version or an unknown
    action; error notifications may name any action.
    """
    if not isinstance(payload, dict):
        raise _malformed()
    error = read_error(payload)
    version, action = payload.get("version"), payload.get("action")
    screen, data, token = payload.get("screen"), payload.get("data"), payload.get("flow_token")
    if (
        not isinstance(version, str)
        or version not in _VERSIONS
        or not isinstance(action, str)
        or not (action in _ACTIONS or error is not None)
        or not isinstance(screen, str | None)
        or not isinstance(data, dict | None)
        or not isinstance(token, str | None)
    ):
        raise _malformed()
    return FlowRequest(version, action, screen or "", token, data or {}, error)


def _malformed() -> OpenError:
    return OpenError("The request inside is not of the contract's form.", code="payload")


def check_summary(template: str) -> str:
    """Return ``template`` unchanged. Raises ValueError for braces that are not ``{name}``."""
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        raise ValueError("write placeholders as {name}: letters, digits and underscores only")
    return template


def fill_summary(template: str, params: Mapping[str, Any]) -> str:
    """Return ``template`` with each ``{name}`` replaced by that member of ``params``.

    Texts and numbers are written as they are, booleans as yes or no, lists of these
    with commas; anything else, and a missing member, as nothing. Values are never
    read as templates themselves; characters that control the display (other than line
    ends) are left out of them. At most :data:`MAX_VALUE` characters of each, and
    :data:`MAX_SUMMARY` in all.
    """
    text = _PLACEHOLDER.sub(lambda match: _shown(_plain(params.get(match[1]))), template)
    return text[:MAX_SUMMARY]


def _shown(value: str) -> str:
    """Return ``value`` without characters that turn text round or hide it, cut to size."""
    kept = (
        letter
        for letter in value
        if letter in _JOINERS or unicodedata.category(letter) not in {"Cc", "Cf"}
    )
    return "".join(kept)[:MAX_VALUE]


def _plain(value: JSONValue) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value if not isinstance(item, list | dict))
    return ""
