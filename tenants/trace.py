"""W3C trace context: one trace from the partner's call through the service behind to the callback.

A caller's valid ``traceparent`` is gone on with, else a trace begins here; what goes out names our
own span as its parent. ``tracestate`` travels along unread. Nothing here decides anything: ids of a
trace are anybody's to choose. Source: W3C Trace Context, level 1.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

#: Version ff is forbidden; later versions may say more behind the flags.
_FORM: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
#: Longest ``tracestate`` passed on, in characters: what everybody should at least take (§3.3.1.5).
_LONGEST_STATE: Final = 512
_STATE: Final = re.compile(r"[\x20-\x7e]*")


# Names, not secrets: a generator that the system seeds will do, and asks it no more. Of its own,
# for what it gave can be foreseen by who has seen enough of it.
_ids: Final = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=_ids.seed)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where this process stands in a trace. ``parent_id`` is empty where it began here."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    flags: str = "01"
    state: str = ""

    @property
    def parent_header(self) -> str:
        """Return the ``traceparent`` for whatever this span calls."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers for whatever this span calls."""
        headers = {"traceparent": self.parent_header}
        if self.state:
            headers["tracestate"] = self.state
        return headers


def begin(parent: str = "", state: str = "") -> Trace:
    """Return a new span, in the trace that ``parent`` (a ``traceparent``) names or in its own."""
    # Version 00 has nothing behind its flags.
    given = _FORM.fullmatch(parent) if len(parent) <= _LONGEST_STATE else None
    fresh = f"{_ids.getrandbits(192):048x}"
    if given is None or (given[4] and parent.startswith("00")):
        return Trace(fresh[:32], fresh[32:])
    passed_on = len(state) <= _LONGEST_STATE and _STATE.fullmatch(state) is not None
    return Trace(given[1], fresh[32:], given[2], given[3], state if passed_on else "")


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """Return the span of what is being done, or None outside of one."""
    return _current.get()


def parent_header() -> str:
    """Return the ``traceparent`` to be stored with what is done later; empty outside of a span."""
    trace = _current.get()
    return "" if trace is None else trace.parent_header


@contextmanager
def within(trace: Trace) -> Iterator[Trace]:
    """Have ``trace`` be the current one inside the block."""
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)
