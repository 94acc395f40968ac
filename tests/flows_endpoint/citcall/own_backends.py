"""Backends of an installation's own, as the tests need them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.exchange import Reason, Refusal

served: list[Call] = []
meanwhile: list[Callable[[], None]] = []
failures: list[str] = []
answers: list[Any] = []


class Slow(Backend):
    """Waits for a network, so to say."""

    atomic = False

    def handle(self, call: Call) -> Answer:
        if meanwhile:
            meanwhile.pop()()
        if failures:
            return Answer({"rc": failures.pop(), "info": "No credit", "secret": "081200000001"})
        served.append(call)
        return Answer({"rc": "00", "info": "success", "n": len(served)})


class Scripted(Backend):
    """Answers, or raises, what stands in ``answers``."""

    def handle(self, call: Call) -> Answer:
        served.append(call)
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)


class Down(Backend):
    """An upstream that is not there."""

    atomic = False

    def handle(self, call: Call) -> Answer:
        raise Refusal(Reason.UPSTREAM_DOWN)
