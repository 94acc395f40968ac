"""How an endpoint does by the platform's measures, and the warning at half of each threshold."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows_endpoint.models import ExchangeRow
from flows_endpoint.whatsapp_flows import health, tasks
from flows_endpoint.whatsapp_flows.health import Measures, level_of, marks, measure, measure_all
from flows_endpoint.whatsapp_flows.models import FlowHealth
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def rows(phone: Phone, count: int, *, minutes: float = 5, **values: Any) -> None:
    """Write so many requests of the flow, ``minutes`` ago."""
    said = {
        "http_status": 200,
        "milliseconds": 100.0,
        "operation": "data_exchange",
        "flow": phone.flow,
    }
    said |= values
    ExchangeRow.objects.bulk_create(
        ExchangeRow(
            at=NOW - timedelta(minutes=minutes),
            request_id="r",
            scheme="whatsapp_flows",
            outcome="ok",
            request_size=1,
            **said,
        )
        for _ in range(count)
    )


def of(phone: Phone) -> Measures:
    return measure(str(phone.flow.pk), NOW)


def test_the_marks_are_each_threshold_and_half_of_it() -> None:
    assert marks(health.ERROR_SHARES) == (0.025, 0.05, 0.10, 0.25, 0.50)
    assert marks(health.LATENCIES) == (500, 1000, 2500, 3500, 5000, 7000)
    assert marks(health.UNAVAILABLE_SHARES) == (0.05, 0.10)
    assert [level_of(v, health.LATENCIES) for v in (499, 500, 999, 1000, 2500, 7000)] == [
        0,
        1,
        1,
        2,
        3,
        6,
    ]


@pytest.mark.parametrize(
    ("failed", "level"),
    [(0, 0), (4, 0), (5, 1), (9, 1), (10, 2), (19, 2), (20, 3), (50, 4), (99, 4), (100, 5)],
)
def test_the_share_of_failed_requests(phone: Phone, failed: int, level: int) -> None:
    rows(phone, 200 - failed, minutes=20)
    rows(phone, failed, http_status=500, minutes=20)
    assert (of(phone).errors, of(phone).requests, of(phone).error_level) == (failed, 200, level)


@pytest.mark.parametrize(
    ("slow", "level"), [(499.9, 0), (500, 1), (1000, 2), (2500, 3), (3500, 4), (5000, 5), (7000, 6)]
)
def test_the_ninetieth_percentile(phone: Phone, slow: float, level: int) -> None:
    rows(phone, 89)
    rows(phone, 11, milliseconds=slow)
    assert (of(phone).p50, of(phone).p90, of(phone).latency_level) == (100, slow, level)


def test_what_took_too_long_has_failed(phone: Phone) -> None:
    rows(phone, 90)
    rows(phone, 5, milliseconds=10_000)
    rows(phone, 5, milliseconds=10_001)
    assert of(phone).errors == 5


def test_availability_is_of_the_last_ten_minutes(phone: Phone) -> None:
    rows(phone, 50, http_status=500, minutes=11)
    rows(phone, 95, minutes=9)
    assert (of(phone).recent, of(phone).recent_errors, of(phone).availability_level) == (95, 0, 0)
    rows(phone, 5, minutes=9, http_status=500)
    assert (of(phone).recent_errors, of(phone).availability_level) == (5, 1)
    rows(phone, 6, minutes=9, http_status=500)
    assert of(phone).availability_level == 2


def test_only_the_platform_s_requests_to_the_endpoint_count(phone: Phone) -> None:
    rows(phone, 20)
    rows(phone, 20, http_status=427)
    rows(phone, 20, http_status=421)
    for status in (403, 405, 413, 432):
        rows(phone, 50, http_status=status)
    for operation in ("webhook", "webhook_challenge", "webhook_updates"):
        rows(phone, 50, http_status=500, operation=operation)
    rows(phone, 50, minutes=31, http_status=500)
    rows(phone, 50, minutes=-1, http_status=500)
    assert (of(phone).requests, of(phone).errors) == (60, 0)


@pytest.mark.parametrize(("good", "bad"), [(0, 9), (100, 2), (0, 0)])
def test_few_requests_say_nothing(phone: Phone, good: int, bad: int) -> None:
    rows(phone, good)
    rows(phone, bad, http_status=500, milliseconds=9000)
    levels = (of(phone).error_level, of(phone).availability_level)
    assert levels == (0, 0)
    assert of(phone).latency_level == 0


def test_the_look_is_bounded_and_indexed(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "MOST_ROWS", 50)
    rows(phone, 40, minutes=20, http_status=500)
    rows(phone, 50, minutes=5)
    # Among so few rows any way is as good as another.
    rows(phone, 3000, minutes=10, flow=None)
    with CaptureQueriesContext(connection) as queries:
        measures = of(phone)
    assert (measures.requests, measures.errors) == (50, 0)
    assert len(queries) == 1
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # What is known of the rows may be another test's.
            cursor.execute(f"ANALYZE {ExchangeRow._meta.db_table}")
            cursor.execute("EXPLAIN " + queries[0]["sql"])
        else:
            cursor.execute("EXPLAIN QUERY PLAN " + queries[0]["sql"])
        plan = str(cursor.fetchall())
    assert "exchange_flow_at" in plan


def test_a_warning_is_logged_once_for_each_mark(
    phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    def warned(minute: int) -> int:
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            measure_all(NOW + timedelta(minutes=minute))
        return len(caplog.records)

    rows(phone, 194, minutes=0)
    rows(phone, 6, minutes=0, http_status=500)  # 3 %, within ten minutes too
    assert warned(0) == 1
    assert "6 of 200 requests failed within 30 minutes" in caplog.text
    assert warned(1) == 0
    rows(phone, 8, minutes=0, http_status=500)  # 6.7 %
    assert warned(2) == 2
    assert warned(3) == 0
    row = FlowHealth.objects.get()
    levels = (row.error_level, row.latency_level, row.availability_level, row.worst_level)
    assert levels == (2, 0, 1, 2)
    assert (row.requests, row.errors, row.p50, row.p90) == (208, 14, 100, 100)
    # Over, and begun again.
    assert warned(31) == 0
    assert FlowHealth.objects.get().worst_level == 0
    assert warned(3) == 2


def test_flows_that_are_not_in_service_are_left_out(
    phone: Phone, make_phone: MakePhone, actor: Actor
) -> None:
    rows(phone, 20, http_status=500)
    quiet = make_phone()
    assert measure_all(NOW) == 1
    assert FlowHealth.objects.get().flow_id == phone.flow.pk
    lifecycle.update_flow(actor, phone.flow, {"is_enabled": False})
    assert measure_all(NOW) == 0
    assert not FlowHealth.objects.exists()
    assert quiet.flow.is_enabled


def test_real_requests_are_measured(phone: Phone) -> None:
    for _ in range(12):
        assert phone.send({"version": "3.0", "action": "ping"}).status == 200
    phone.post(b"{}", signature="sha256=" + "0" * 64)
    phone.deliver({})
    tasks.measure_health()
    row = FlowHealth.objects.get()
    assert (row.requests, row.errors, row.worst_level) == (12, 0, 0)
    assert row.p90 is not None
    assert 0 < row.p90 < 10_000
