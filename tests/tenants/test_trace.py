"""W3C trace context: what is gone on with, and what begins anew."""

from __future__ import annotations

import re

import pytest

from tenants import trace

pytestmark = pytest.mark.once

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        (f"00-{TRACE}-{PARENT}-01", "01"),
        (f"00-{TRACE}-{PARENT}-00", "00"),
        (f"cc-{TRACE}-{PARENT}-01", "01"),
        (f"cc-{TRACE}-{PARENT}-01-what-comes-later", "01"),
    ],
)
def test_a_valid_one_is_gone_on_with(given: str, flags: str) -> None:
    span = trace.begin(given, "vendor=1,other=2")
    assert (span.trace_id, span.parent_id, span.flags) == (TRACE, PARENT, flags)
    assert re.fullmatch(r"[0-9a-f]{16}", span.span_id)
    assert span.span_id != PARENT
    assert span.headers == {
        "traceparent": f"00-{TRACE}-{span.span_id}-{flags}",
        "tracestate": "vendor=1,other=2",
    }


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-0g",
        f"cc-{TRACE}-{PARENT}-01-{'x' * 500}",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
    ],
)
def test_any_other_begins_a_trace_of_its_own(given: str) -> None:
    span = trace.begin(given, "vendor=1")
    assert span.trace_id != TRACE
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", span.parent_header)
    assert (span.parent_id, span.state) == ("", "")
    assert list(span.headers) == ["traceparent"]


@pytest.mark.parametrize("state", ["x" * 513, "a=\x7f", "a=\r\nInjected: 1", "ä=1"])
def test_a_state_that_may_not_travel_does_not(state: str) -> None:
    assert "tracestate" not in trace.begin(f"00-{TRACE}-{PARENT}-01", state).headers


def test_outside_of_a_span_there_is_nothing_to_store() -> None:
    assert trace.current() is None
    assert trace.parent_header() == ""
    with trace.within(trace.begin()) as span:
        assert trace.current() is span
        assert trace.parent_header() == span.parent_header
    assert trace.current() is None
