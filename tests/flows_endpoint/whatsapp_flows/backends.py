"""Backends that do what a test tells them, atomic and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from flows_endpoint.backends import Answer, Backend, Call

ATOMIC = f"{__name__}.AtomicBackend"
REMOTE = f"{__name__}.RemoteBackend"
SAFE = f"{__name__}.SafeBackend"


class AtomicBackend(Backend):
    """Calls ``script`` and notes the calls."""

    calls: ClassVar[list[Call]] = []
    script: ClassVar[Callable[[Call], Any]]

    def handle(self, call: Call) -> Answer:
        self.calls.append(call)
        return Answer(type(self).script(call))


class RemoteBackend(AtomicBackend):
    """The same, outside any transaction, as one that waits for a network."""

    atomic = False


class SafeBackend(AtomicBackend):
    """One that says that answering changes nothing."""

    def is_safe(self, operation: str, payload: Any) -> bool:
        return True
