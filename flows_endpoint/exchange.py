"""The small values that travel through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crypto_schemes.keys import KeyVersion
from tenants.keyring import FlowSnapshot
from tenants.trace import Trace


class Reason(StrEnum):
    """Why a request was not served. Each contract maps these to its own errors."""

    METHOD = "method"
    SIZE = "size"
    MALFORMED = "malformed"  # the outer, unencrypted form
    UNKNOWN_FLOW = "unknown_flow"
    SOURCE = "source"  # the caller's address is not allowed
    RATE = "rate"
    NOT_AUTHENTIC = "not_authentic"  # a credential or signature
    CANNOT_OPEN = "cannot_open"
    STALE = "stale"  # time stamp outside the window
    REPLAYED = "replayed"
    BUSINESS = "business"  # the contract's own rule, named by the code
    UPSTREAM_DOWN = "upstream_down"
    UPSTREAM_SLOW = "upstream_slow"
    UPSTREAM_ANSWER = "upstream_answer"  # not JSON, or not a success
    UNAVAILABLE = "unavailable"  # something of ours is missing: key, guard, database
    INTERNAL = "internal"


#: Reasons that are ours or the upstream's doing, not the partner's.
FAILURES = frozenset(
    {
        Reason.UPSTREAM_DOWN,
        Reason.UPSTREAM_SLOW,
        Reason.UPSTREAM_ANSWER,
        Reason.UNAVAILABLE,
        Reason.INTERNAL,
    }
)


class Refusal(Exception):  # noqa: N818 - it is an outcome, not an error
    """Stops the pipeline; the contract turns it into its own error reply.

    ``code`` is the contract's code where a rule decided it, ``step`` the operator's detail
    (never sent), ``extra`` whatever the contract's error reply needs.
    """

    def __init__(
        self, reason: Reason, code: str | int = "", *, step: str = "", extra: Any = None
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.code = code
        self.step = step
        self.extra = extra


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What goes back over HTTP. ``code`` is the contract's code, for the exchange log."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    code: str | int = ""


@dataclass(slots=True)
class Exchange:
    """One request on its way. Header names are lower case with ``-``.

    ``route`` holds what the URL captured, ``query`` the first value of each query parameter.
    ``flow`` and ``opened_by`` are filled as the pipeline learns them, for the log; ``said`` by a
    contract that reads what was opened, for its later steps. ``in_transaction`` says whether
    handling it is one.
    """

    request_id: str
    scheme: str
    operation: str
    method: str
    path: str
    source: str
    received_at: float
    route: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    flow: FlowSnapshot | None = None
    opened_by: tuple[KeyVersion, ...] = ()
    said: Any = field(default=None, repr=False)
    in_transaction: bool = False
    trace: Trace | None = None
    started: float = field(default_factory=time.perf_counter)
