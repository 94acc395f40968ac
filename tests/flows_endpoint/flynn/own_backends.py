"""Backends of an installation's own, as the tests need them."""

from __future__ import annotations

from typing import Any

from flows_endpoint.backends import Answer, Backend, Call

served: list[Call] = []
answers: list[Any] = []


class Scripted(Backend):
    """Answers, or raises, what stands in ``answers``."""

    atomic = False

    def handle(self, call: Call) -> Answer:
        served.append(call)
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return Answer(answer)
