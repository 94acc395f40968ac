"""One id for a request, in every log line, reply and row that belongs to it; and its trace."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

from tenants import trace

HEADER = "X-Request-Id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id of the request being served, or an empty text outside of one."""
    return _current.get()


class RequestIdMiddleware:
    """Take a well-formed ``X-Request-Id`` from the caller, else make one; send it back.

    The same for its trace (``traceparent``), which is not sent back. Where both are made, they
    have the same id.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve ``request`` under its id."""
        # Not request.headers: that reads every header there is.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        span = trace.begin(
            request.META.get("HTTP_TRACEPARENT", ""), request.META.get("HTTP_TRACESTATE", "")
        )
        if _ACCEPTED.fullmatch(given):
            request_id = given
        else:
            # Of a trace that another began, this need not be the only request.
            request_id = uuid.uuid4().hex if span.parent_id else span.trace_id
        request.request_id = request_id  # type: ignore[attr-defined]
        token = _current.set(request_id)
        try:
            with trace.within(span):
                response = self._get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Give every log record the ids of the request and the trace it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add ``request_id`` and ``trace_id`` where the record brings none; drop nothing."""
        if "request_id" not in record.__dict__:
            span = trace.current()
            record.request_id = current()
            record.trace_id = span.trace_id if span else ""
        return True
