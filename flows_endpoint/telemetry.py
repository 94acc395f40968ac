"""OpenTelemetry, where it is wanted: each request as a span, sent to a collector over OTLP.

An extra: install ``requirements-otel.txt`` and set ``OTEL_EXPORTER_OTLP_ENDPOINT``; the other
``OTEL_*`` variables are the SDK's own. Spans are made from the entries of the exchange log, behind
the requests' backs, with the ids that ``traceparent`` carried to the upstream and beyond.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from flows_endpoint.log_entries import Entry

logger = logging.getLogger(__name__)

_NANOSECONDS = 1_000_000_000
_SAMPLED = 1


def export(entries: Iterable[Entry]) -> None:
    """Hand the spans of ``entries`` to the exporter's own thread, where there is one."""
    send = _sender()
    if send is None:
        return
    for entry in entries:
        if entry.trace is not None and int(entry.trace.flags, 16) & _SAMPLED:
            send(entry)


@cache
def _sender() -> Callable[[Entry], None] | None:
    """Return what takes a span, or None where telemetry is not set up. Once a process."""
    if not (
        os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    ):
        return None
    try:
        return _opentelemetry()
    except ImportError:
        logger.error(  # noqa: TRY400 - the text says it all
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed. Install "
            "requirements-otel.txt, or leave the variable out."
        )
        return None


def _opentelemetry() -> Callable[[Entry], None]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415
    from opentelemetry.trace import (  # noqa: PLC0415
        SpanContext,
        SpanKind,
        Status,
        StatusCode,
        TraceFlags,
    )

    named = os.environ.get("OTEL_SERVICE_NAME", "sealgate")
    resource = Resource.create({"service.name": named})
    scope = InstrumentationScope("sealgate")
    processor = BatchSpanProcessor(OTLPSpanExporter())

    def context(trace_id: str, span_id: str, *, is_remote: bool) -> Any:
        return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, TraceFlags(_SAMPLED))

    def send(entry: Entry) -> None:
        trace = entry.trace
        if trace is None:
            return
        begun = int(entry.at.timestamp() * _NANOSECONDS)
        failed = entry.outcome == "failed"
        span = ReadableSpan(
            name=f"{entry.scheme} {entry.operation}".strip(),
            context=context(trace.trace_id, trace.span_id, is_remote=False),
            parent=context(trace.trace_id, trace.parent_id, is_remote=True)
            if trace.parent_id
            else None,
            resource=resource,
            attributes=_attributes(entry),
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=begun,
            end_time=begun + int(entry.milliseconds * 1_000_000),
            instrumentation_scope=scope,
        )
        processor.on_end(span)

    return send


def _attributes(entry: Entry) -> dict[str, str | int]:
    said: dict[str, str | int | None] = {
        "http.response.status_code": entry.http_status,
        "http.request.body.size": entry.request_size,
        "sealgate.request_id": entry.request_id,
        "sealgate.scheme": entry.scheme,
        "sealgate.operation": entry.operation,
        "sealgate.client": entry.client,
        "sealgate.flow": entry.flow_id,
        "sealgate.outcome": entry.outcome,
        "sealgate.reason": entry.reason or None,
        "sealgate.keys": entry.key_versions or None,
    }
    return {name: value for name, value in said.items() if value is not None}
