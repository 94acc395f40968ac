"""A backend as a company would write it, for tests."""

from __future__ import annotations

from flows_endpoint.backends import Answer, Backend, Call


class Echo(Backend):
    """Answers with what was sent."""

    def handle(self, call: Call) -> Answer:
        return Answer(call.payload)
