"""Probes for machines, and the answers to addresses that do not exist."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

import redis
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from config.celery import app
from flows_endpoint.models import WorkerHeartbeat
from tenants import digests, schema
from tenants.at_rest import AtRestError

logger = logging.getLogger(__name__)

#: A worker beats every ten seconds.
_STALE = timedelta(seconds=45)


class _Missing:
    """What the last probe of this process found missing; a line is logged where that changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: Mapping[str, str] = {}

    def note(self, missing: Mapping[str, str]) -> None:
        """Log what is missing, or that nothing is any more, unless that was said last time."""
        with self._lock:
            is_known, self._last = missing == self._last, missing
        if is_known:
            return
        if missing:
            said = ", ".join(f"{name}: {what}" for name, what in missing.items())
            logger.error("Not ready: %s", said)
        else:
            logger.info("Ready again")


_missing = _Missing()


class NotReadyError(Exception):
    """A dependency is missing; the message is safe to show."""


def livez(_: HttpRequest) -> JsonResponse:
    """Answer that the process serves requests; asks nobody else."""
    return JsonResponse({"status": "ok"})


def readyz(_: HttpRequest) -> JsonResponse:
    """Answer whether each dependency is there: 200, or 503 with the missing one named.

    A missing worker or broker delays callbacks, by seconds if it is the broker, but no request, so
    either is reported and does not take the node out of service: all nodes have the same.
    """
    checks = {name: _ask(check) for name, check in _CHECKS.items()}
    missing = {name: said for name, said in checks.items() if said != "ok"}
    missing = {name: said for name, said in missing.items() if name not in _ADVISORY}
    _missing.note(missing)
    answer = JsonResponse(
        {"status": "unavailable" if missing else "ok", "checks": checks},
        status=503 if missing else 200,
    )
    # Django would log each 503 of a probe as an error, after the request's id is forgotten.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer 400 as JSON, without detail but for a host name that is not ours."""
    what = "This host name is not served here." if isinstance(exception, DisallowedHost) else ""
    return JsonResponse({"error": what or "Bad request."}, status=400)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404: to who is in the admin as a page of it, to all others as JSON."""
    is_admin = request.path.startswith(reverse("admin:index"))
    if is_admin and hasattr(request, "user") and admin.site.has_permission(request):
        page: HttpResponse = admin.site.not_found(request)  # type: ignore[attr-defined]
        return page
    return JsonResponse({"error": "There is nothing at this address."}, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer 500 as JSON, without detail."""
    return JsonResponse(
        {"error": "Internal failure.", "request_id": getattr(request, "request_id", "")}, status=500
    )


def _ask(check: Callable[[], None]) -> str:
    try:
        check()
    except NotReadyError as error:
        return str(error)
    except (DatabaseError, AtRestError, redis.RedisError, OperationalError, OSError) as error:
        return type(error).__name__
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _migrations() -> None:
    if wrong := schema.mismatch():
        raise NotReadyError(wrong)


def _master_key() -> None:
    digests.internal_secret("lookup")


def _redis() -> None:
    if settings.REDIS_URL:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1
        )
        try:
            client.ping()
        finally:
            client.close()


def _broker() -> None:
    with app.connection_for_write(connect_timeout=1) as broker:
        broker.ensure_connection(max_retries=1, timeout=1)


def _worker() -> None:
    beat = WorkerHeartbeat.objects.filter(name="worker").first()
    if beat is None or timezone.now() - beat.at > _STALE:
        raise NotReadyError("no sign of life; is the worker running?")


_CHECKS: dict[str, Callable[[], None]] = {
    "database": _database,
    "migrations": _migrations,
    "master_key": _master_key,
    "redis": _redis,
    "broker": _broker,
    "worker": _worker,
}
_ADVISORY = frozenset({"worker", "broker"})
