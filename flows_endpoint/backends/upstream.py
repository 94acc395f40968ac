"""Placeholder until the outbound transport lands."""

from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.exchange import Reason, Refusal


class UpstreamBackend(Backend):
    """POST the opened JSON to the flow's own service."""

    atomic = False

    def handle(self, call: Call) -> Answer:
        """Refuse."""
        raise Refusal(Reason.UPSTREAM_DOWN)
