"""One id for a request, in every log line, reply and row that belongs to it."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the id of the request being served, or an empty text outside of one."""
    return _current.get()


class RequestIdMiddleware:
    """Take a well-formed ``X-Request-Id`` from the caller, else make one; send it back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve ``request`` under its id."""
        # Not request.headers: that reads every header there is.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        token = _current.set(request_id)
        try:
            response = self._get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Give every log record the id of the request it belongs to."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add ``request_id`` where the record does not bring one; drop nothing."""
        if "request_id" not in record.__dict__:
            record.request_id = current()
        return True
