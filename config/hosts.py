"""The host names that the installation answers to, and a line where it refuses another."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

#: Anybody can send any Host: seconds between two lines about it, and characters of one in a line.
_QUIET: Final = 60.0
_LONGEST: Final = 64


def public_host(url: str) -> str:
    """Return the host name of the public ``url``. Raises ImproperlyConfigured where it has none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ImproperlyConfigured(
            "SEALGATE_PUBLIC_URL must be http:// or https:// and a host, such as "
            "https://gateway.example.com."
        )
    return f"[{host}]" if ":" in host else host


def with_public(hosts: list[str], url: str) -> list[str]:
    """Return ``hosts`` and that of the public ``url``, where people and partners are sent to."""
    return list(dict.fromkeys([*hosts, public_host(url)]))


class RefusedHosts(logging.Filter):
    """Pass on what is logged of refused hosts once a minute, with a count and without the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._quiet_until = float("-inf")
        self._refused = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Make a line of ``record`` with the host name alone, unless there was one lately."""
        request = record.__dict__.pop("request", None)
        if request is None:
            return True  # made already: whoever sets logging up twice has two of these
        with self._lock:
            self._refused += 1
            now = time.monotonic()
            if now < self._quiet_until:
                return False
            count, self._refused = self._refused, 0
            self._quiet_until = now + _QUIET
        record.__dict__.pop("status_code", None)
        host = str(request.META.get("HTTP_HOST", "")).rpartition("@")[2]
        shown = host if len(host) <= _LONGEST else host[:_LONGEST] + "…"
        record.msg = "DisallowedHost: %s (%d refused since the last such line)"
        record.args = (ascii(shown), count)
        record.exc_info = record.exc_text = record.stack_info = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
