"""One trace: from the partner's call to the service behind, and to what is done later."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as HttpClient

from flows_endpoint import timers
from flows_endpoint.models import Timer
from flows_endpoint.request_id import RequestIdFilter
from tenants import trace
from tenants.lifecycle import IssuedFlow
from tests.flows_endpoint.citcall.partner import Partner
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def partner(make_flow: Callable[..., IssuedFlow], client: HttpClient) -> Partner:
    return Partner(make_flow("citcall"), client)


def test_the_service_behind_gets_the_partner_s_trace(
    make_flow: Callable[..., IssuedFlow], client: HttpClient
) -> None:
    with Receiver() as receiver:
        receiver.default = Reply(body=b'{"rc":"00"}')
        issued = make_flow("citcall", backend="upstream", upstream_url=receiver.url)
        partner = Partner(issued, client)
        partner.call(HTTP_TRACEPARENT=GIVEN, HTTP_TRACESTATE="vendor=1")
        partner.call({"msisdn": "081200000002", "gateway": 1})
    first, second = (request.headers for request in receiver.requests)
    version, trace_id, span, flags = first["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01")
    assert span != "00f067aa0ba902b7"
    assert first["tracestate"] == "vendor=1"
    assert second["traceparent"].split("-")[1] not in ("", TRACE)
    assert "tracestate" not in second


def test_what_a_timer_does_later_belongs_to_the_trace(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner.call(HTTP_TRACEPARENT=GIVEN)
    timer = Timer.objects.get(kind="citcall.end_call")
    assert timer.traceparent.split("-")[1] == TRACE
    seen: list[Any] = []
    monkeypatch.setitem(timers._handlers, timer.kind, lambda _: seen.append(trace.current()))
    Timer.objects.filter(pk=timer.pk).update(due_at=timer.due_at.replace(year=2020))
    assert timers.run_due() == 1
    assert seen[0].trace_id == TRACE
    assert seen[0].parent_id == timer.traceparent.split("-")[2]
    assert trace.current() is None


def test_log_lines_name_the_trace(partner: Partner) -> None:
    class Keep(logging.Handler):
        records: list[Any] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.records.append(record)

    keep = Keep()
    keep.addFilter(RequestIdFilter())
    logger = logging.getLogger("sealgate.exchange")
    logger.addHandler(keep)
    try:
        partner.call(HTTP_TRACEPARENT=GIVEN)
    finally:
        logger.removeHandler(keep)
    (record,) = keep.records
    assert record.trace_id == TRACE
    logging.getLogger("any").handle(other := logging.LogRecord("a", 20, "", 0, "", None, None))
    assert RequestIdFilter().filter(other)
    assert other.__dict__["trace_id"] == ""


def test_the_partner_s_answer_says_nothing_of_it(partner: Partner) -> None:
    reply = partner.post(HTTP_TRACEPARENT=GIVEN)
    assert "traceparent" not in reply
