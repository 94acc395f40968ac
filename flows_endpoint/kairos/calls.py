"""The call list of a request: what must be in it, and which of its calls can be placed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.kairos.errors import Code

#: Calls in one request.
MOST_CALLS: Final = 500
#: Characters of a client-identifier.
_LONGEST_IDENTIFIER: Final = 256

_START_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})"
)
_NUMBER: Final = re.compile(r"\+?[0-9]{6,15}")


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call that can be placed. ``numbers`` are the valid ones, the primary first.

    ``start_at`` has the offset the partner sent, ``start_time`` is the text as sent.
    """

    client_identifier: str = field(repr=False)
    start_time: str
    start_at: datetime
    numbers: tuple[str, ...] = field(repr=False)
    keys: tuple[dict[str, JSONValue], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallList:
    """The calls of a request that can be placed, in order, and how many cannot."""

    accepted: tuple[PlannedCall, ...]
    rejected: int


def refuse(code: Code, step: str = "") -> Refusal:
    """Return the refusal that answers ``code``; ``step`` is for the operator's log."""
    return Refusal(Reason.BUSINESS, code, step=step)


def read_calls(calls: JSONValue) -> CallList:
    """Return the calls of the member ``calls``.

    Raises Refusal, in this order: 302 or 303 for the size of the list, 210 for a call whose
    mandatory fields are missing or wrong, 205 when no call has a valid number.
    """
    if calls is None or calls == []:
        raise refuse(Code.EMPTY_CALL_LIST)
    if not isinstance(calls, list):
        raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "calls")
    if len(calls) > MOST_CALLS:
        raise refuse(Code.MAX_DATA_LIST_SIZE_EXCEEDED)
    planned = [_read_call(call) for call in calls]
    accepted = tuple(call for call in planned if call.numbers)
    if not accepted:
        raise refuse(Code.INVALID_CONTACT_NUMBER)
    return CallList(accepted=accepted, rejected=len(planned) - len(accepted))


def require_test_numbers(calls: Iterable[PlannedCall], allowed: Iterable[str]) -> None:
    """Raise Refusal (402) unless every number of every call is one of ``allowed``."""
    known = {digits(number) for number in allowed}
    if any(digits(number) not in known for call in calls for number in call.numbers):
        raise refuse(Code.PHONE_NOT_WHITELISTED)


def digits(number: str) -> str:
    """Return a phone number without its leading +, for comparison."""
    return number.removeprefix("+")


def _read_call(call: JSONValue) -> PlannedCall:
    if not isinstance(call, dict):
        raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "call")
    identifier = call.get("client-identifier")
    if not isinstance(identifier, str) or not 1 <= len(identifier) <= _LONGEST_IDENTIFIER:
        raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "client-identifier")
    numbers = call.get("contact-numbers")
    if not isinstance(numbers, list) or not numbers:
        raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "contact-numbers")
    start_time = call.get("start-time")
    return PlannedCall(
        client_identifier=identifier,
        start_time=str(start_time),
        start_at=_read_start(start_time),
        numbers=tuple(n for n in numbers if isinstance(n, str) and _NUMBER.fullmatch(n)),
        keys=_read_keys(call.get("keys")),
    )


def _read_start(text: JSONValue) -> datetime:
    if isinstance(text, str) and _START_TIME.fullmatch(text):
        try:
            start_at = datetime.fromisoformat(text)
            start_at.astimezone(UTC)  # what has no place in UTC has none in the calendar
        except (ValueError, OverflowError):
            pass
        else:
            return start_at
    raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "start-time")


def _read_keys(keys: JSONValue) -> tuple[dict[str, JSONValue], ...]:
    """Return the keys, ``name`` and ``value`` only; none at all is as good as an empty list."""
    if keys is None:
        return ()
    if not isinstance(keys, list):
        raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "keys")
    for key in keys:
        if (
            not isinstance(key, dict)
            or not isinstance(key.get("name"), str)
            or "value" not in key
            or isinstance(key["value"], dict | list)
        ):
            raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "keys")
    return tuple({"name": key["name"], "value": key["value"]} for key in keys)
