"""OpenTelemetry is an extra: without it nothing changes, with it requests are spans."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from flows_endpoint import telemetry
from tenants import trace
from tests.flows_endpoint.test_log_writer import entry
from tests.support.receiver import Receiver, Reply

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    telemetry._sender.cache_clear()
    yield
    telemetry._sender.cache_clear()


def test_where_it_is_not_wanted_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded() -> None:
        raise AssertionError

    monkeypatch.setattr(telemetry, "_opentelemetry", loaded)
    telemetry.export([entry(trace=trace.begin())])


def test_where_it_is_wanted_and_missing_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing() -> None:
        raise ImportError

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(telemetry, "_opentelemetry", missing)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            telemetry.export([entry(trace=trace.begin())])
    assert caplog.text.count("requirements-otel.txt") == 1


def test_a_request_is_a_span_of_the_caller_s_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415
        ExportTraceServiceRequest,
    )

    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    with Receiver() as receiver:
        receiver.default = Reply(body=b"")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        sampled, unsampled = trace.begin(f"{GIVEN}-01"), trace.begin(f"{GIVEN}-00")
        at = datetime(2026, 3, 1, 12, tzinfo=UTC)
        telemetry.export(
            [
                entry(1, at=at, trace=sampled, outcome="failed", milliseconds=2.5),
                entry(2, trace=unsampled),
                entry(3),
            ]
        )
        deadline = time.monotonic() + 10
        while not receiver.requests:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    request = ExportTraceServiceRequest.FromString(receiver.requests[0].body)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.name == "citcall asynccall"
    assert span.trace_id.hex() == GIVEN.split("-")[1]
    assert span.span_id.hex() == sampled.span_id
    assert span.parent_span_id.hex() == GIVEN.split("-")[2]
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_500_000
    said = {item.key: item.value.string_value or item.value.int_value for item in span.attributes}
    assert said["sealgate.request_id"] == "request-000001"
    assert said["http.response.status_code"] == 200
