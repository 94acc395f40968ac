"""A callback goes on with the trace that made it due, each attempt as a span of its own."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from callbacks import channels
from callbacks.channels import Message
from callbacks.models import Delivery
from tenants import trace
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, put

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


def sent(delivery: Delivery) -> str:
    """Return the ``traceparent`` of one attempt."""
    message = channels.get(delivery.channel).prepare(delivery, 1_800_000_000.0)
    assert isinstance(message, Message)
    return message.headers["traceparent"]


def test_attempts_are_spans_of_the_trace_that_made_it_due(flow: Flow) -> None:
    with trace.within(trace.begin(PARENT)) as request:
        delivery = put(flow)
    stored = change(delivery)
    assert stored.traceparent == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{request.span_id}-01"
    first, second = sent(stored), sent(stored)
    for header in (first, second):
        assert re.fullmatch("00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01", header)
    assert len({first, second, stored.traceparent, PARENT}) == 4


def test_what_no_request_made_due_begins_a_trace(flow: Flow) -> None:
    delivery = put(flow)
    assert change(delivery).traceparent == ""
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", sent(delivery))
