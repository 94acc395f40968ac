"""One keep-alive connection, and the count of what came of the requests sent over it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3

#: Generous: the machine is shared, and a web process that was killed takes seconds to come back.
_SECONDS = 90.0
#: So many failures are told in words.
_TOLD = 10


class BrokenError(Exception):
    """The connection ended with the process at its other end; there was no answer."""


class FailedError(Exception):
    """An answer that is not the protocol's success, or none in time."""


@dataclass
class Counts:
    """What the threads of one process have seen."""

    served: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, which: Counter[str], name: str, told: str = "") -> None:
        """Count one."""
        with self._lock:
            which[name] += 1
            if told and len(self.told) < _TOLD:
                self.told.append(told)

    def as_json(self) -> dict[str, Any]:
        """Return them as JSON can say them."""
        with self._lock:
            return {
                "served": dict(self.served),
                "failed": dict(self.failed),
                "broken": dict(self.broken),
                "told": list(self.told),
            }


class Wire:
    """The connection of one thread."""

    def __init__(self, host: str, port: int, counts: Counts) -> None:
        self._pool = urllib3.HTTPConnectionPool(
            host, port, maxsize=1, block=True, retries=False, timeout=_SECONDS
        )
        self._counts = counts

    def ask(
        self,
        name: str,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        check: Callable[[urllib3.BaseHTTPResponse], Any],
    ) -> Any:
        """Send one request of the contract ``name``; return what ``check`` makes of the answer.

        ``check`` raises, or returns None, for anything but the protocol's success. Raises
        BrokenError or FailedError; either is counted.
        """
        try:
            answer = self._pool.request(method, path, body=body, headers=dict(headers or {}))
        except urllib3.exceptions.ProtocolError as error:
            self._counts.note(self._counts.broken, name)
            raise BrokenError from error
        except urllib3.exceptions.HTTPError as error:
            told = f"{name} {method} {path}: {type(error).__name__}"
            self._counts.note(self._counts.failed, name, told)
            raise FailedError(told) from error
        try:
            value = check(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not the success
            value, why = None, type(error).__name__
        else:
            why = "no success"
        if value is None:
            told = f"{name} {method} {path}: {answer.status} {answer.data[:200]!r} ({why})"
            self._counts.note(self._counts.failed, name, told)
            raise FailedError(told)
        self._counts.note(self._counts.served, name)
        return value
