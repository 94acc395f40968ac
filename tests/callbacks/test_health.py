"""How an endpoint is doing: warned of after a day, disabled after five, well after one success."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from callbacks import settle
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Endpoint
from callbacks.settle import Finished
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow
from tests.callbacks.calls import called
from tests.callbacks.outbox import change, put, set_up

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db
OUTAGE = Result(status=503, error="http_503", is_outage=True)
REFUSED = Result(status=404, error="http_404")


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


def attempt(flow: Flow, result: Result) -> Endpoint:
    set_up(flow, ready_at=timezone.now())
    delivery = put(flow)
    (held,) = claim_due(1)
    settle.record([called(held, result)])
    change(delivery, state="cancelled", settled_at=timezone.now())
    return set_up(flow)


def failing_for(flow: Flow, **ago: float) -> None:
    since = timezone.now() - timedelta(**ago)
    set_up(flow, failing_since=since, last_failure_at=timezone.now() - timedelta(hours=1))


def test_any_failure_begins_a_bad_time_and_any_success_ends_it(flow: Flow) -> None:
    for result in (OUTAGE, REFUSED):
        before = timezone.now()
        endpoint = attempt(flow, result)
        assert endpoint.failing_since is not None
        assert endpoint.failing_since >= before
        assert endpoint.last_failure_at == endpoint.failing_since
        well = attempt(flow, Result(status=200))
        assert (well.failing_since, well.last_failure_at, well.failures) == (None, None, 0)


def test_only_outages_count_for_the_breaker(flow: Flow) -> None:
    assert attempt(flow, OUTAGE).failures == 1
    assert attempt(flow, OUTAGE).failures == 2
    assert attempt(flow, REFUSED).failures == 0


def test_what_was_stopped_on_our_side_says_nothing(flow: Flow) -> None:
    before = Endpoint.objects.filter(pk=set_up(flow).pk).values().get()
    put(flow)
    (held,) = claim_due(1)
    settle.record([Finished(held, Result(error="no_usable_key"))])
    assert Endpoint.objects.filter(pk=set_up(flow).pk).values().get() == before


def test_it_is_warned_of_once_at_each_threshold(
    flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    said = []
    for days in (0.9, 1.1, 1.5, 2.9, 3.1, 3.2, 4.1, 4.9):
        failing_for(flow, days=days)
        caplog.clear()
        endpoint = attempt(flow, OUTAGE)
        assert endpoint.state == "active"
        said.append([record.getMessage() for record in caplog.records if "Nothing" in record.msg])
    assert [len(lines) for lines in said] == [0, 1, 0, 0, 1, 0, 1, 0]
    assert said[4] == ["Nothing has arrived at the endpoint for 3 days; it is disabled after 5."]
    attempt(flow, Result(status=200))
    failing_for(flow, days=1.1)
    caplog.clear()
    attempt(flow, OUTAGE)
    assert "Nothing has arrived at the endpoint for 1 day" in caplog.text


def test_after_five_days_it_is_disabled_and_its_deliveries_wait(
    flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    failing_for(flow, days=5)
    endpoint = attempt(flow, OUTAGE)
    assert endpoint.state == "disabled"
    assert endpoint.state_reason == "Nothing has arrived for 5 days (last: http_503)."
    entry = AuditEntry.objects.get(verb="endpoint.disable")
    assert (entry.actor, entry.flow) == ("sealgate", flow)
    assert entry.before == {"endpoint": "callback", "state": "active"}
    assert entry.after == {"endpoint": "callback", "state": "disabled"}
    disabled = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in disabled] == [
        "The endpoint is disabled: Nothing has arrived for 5 days (last: http_503). "
        "Its deliveries wait until it is enabled."
    ]
    waiting = put(flow)
    assert claim_due(9) == []
    assert change(waiting).state == "pending"


def test_two_failures_far_apart_are_not_a_week_of_failure(flow: Flow) -> None:
    long_ago = timezone.now() - timedelta(days=7)
    set_up(flow, failing_since=long_ago, last_failure_at=long_ago, warned_days=3)
    endpoint = attempt(flow, OUTAGE)
    assert (endpoint.state, endpoint.warned_days) == ("active", 0)
    assert endpoint.failing_since is not None
    assert timezone.now() - endpoint.failing_since < timedelta(minutes=1)


def test_gone_disables_at_once(flow: Flow) -> None:
    gone = Result(status=410, error="http_410", is_permanent=True, disables=True)
    endpoint = attempt(flow, gone)
    assert endpoint.state == "disabled"
    assert endpoint.state_reason == "The receiver wants nothing more (http_410)."
    assert AuditEntry.objects.filter(verb="endpoint.disable").count() == 1


def test_what_was_under_way_when_it_was_disabled_changes_nothing(flow: Flow) -> None:
    put(flow)
    put(flow)
    first, second = claim_due(2)
    gone = Result(status=410, error="http_410", is_permanent=True, disables=True)
    settle.record([called(first, gone), called(second, gone)])
    assert AuditEntry.objects.filter(verb="endpoint.disable").count() == 1


def test_a_well_endpoint_costs_no_write(
    flow: Flow, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    put(flow)
    (held,) = claim_due(1)
    with django_assert_max_num_queries(6) as context:
        settle.record([called(held, Result(status=200))])
    written = [
        query["sql"]
        for query in context.captured_queries
        if re.search("UPDATE callbacks_|INSERT INTO", query["sql"])
    ]
    assert len(written) == 2
    assert not any('UPDATE "callbacks_endpoint"' in sql for sql in written)
