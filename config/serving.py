"""The settings of how the processes are run, which Django's own settings do not need."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from config.env import SERVED_AT, env, is_given, var_dir

#: All of them, for who looks for names that nothing reads.
NAMES: Final = frozenset(
    {
        "SEALGATE_BIND",
        "SEALGATE_LAPTOP",
        "SEALGATE_REQUEST_SECONDS",
        "SEALGATE_UPSTREAM_CALLS",
        "SEALGATE_WEB_PROCESSES",
        "SEALGATE_WEB_THREADS",
        "SEALGATE_WORKER_THREADS",
    }
)
#: What makes callbacks and sandboxes work on somebody's own machine.
LAPTOP_DEFAULTS: Final[Mapping[str, str]] = {
    "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8,::1/128",
    "SEALGATE_SANDBOX_SPEED": "10",
}
#: Who gives one of these runs more than a trial.
_OF_INSTALLATIONS: Final = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "EMAIL_URL",
    "SEALGATE_ALLOWED_HOSTS",
    "SEALGATE_METRICS_TOKEN",
    "SEALGATE_TRUSTED_PROXIES",
)


def bind() -> str:
    """Return the address the web process listens on."""
    return str(env.str("SEALGATE_BIND", default="127.0.0.1"))


def web_processes() -> int:
    """Return how many web processes serve."""
    return int(env.int("SEALGATE_WEB_PROCESSES", default=2))


def web_threads() -> int:
    """Return how many requests each serves at once."""
    return int(env.int("SEALGATE_WEB_THREADS", default=8))


def upstream_calls() -> int:
    """Return how many of its requests may wait for a company's own service at once."""
    return int(env.int("SEALGATE_UPSTREAM_CALLS", default=64))


def worker_threads() -> int:
    """Return the threads of the worker that script/server starts."""
    return int(env.int("SEALGATE_WORKER_THREADS", default=8))


def request_seconds() -> float:
    """Return how long a request may take to arrive."""
    return float(env.float("SEALGATE_REQUEST_SECONDS", default=60.0))


def outbound_allow() -> list[str]:
    """Return the networks that may be called although they are not public.

    A command beside script/server on a laptop allows what that allows.
    """
    is_beside = is_laptop() and (var_dir() / SERVED_AT).exists()
    default = LAPTOP_DEFAULTS["SEALGATE_OUTBOUND_ALLOW"].split(",") if is_beside else []
    return list(env.list("SEALGATE_OUTBOUND_ALLOW", default=default))


def is_laptop() -> bool:
    """Return whether this is somebody's own machine: ``SEALGATE_LAPTOP``, else where it is plain.

    A loopback address alone says nothing: behind a proxy on the same host an installation listens
    there too, and its callbacks must not reach what else does.
    """
    url = urlsplit(env.str("SEALGATE_PUBLIC_URL", default="http://localhost"))
    is_plain = (
        _is_loopback(bind())
        and url.scheme == "http"
        and _is_loopback(url.hostname or "")
        and not env.bool("SEALGATE_TLS", default=False)
        and not any(is_given(name) for name in _OF_INSTALLATIONS)
    )
    return bool(env.bool("SEALGATE_LAPTOP", default=is_plain))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
