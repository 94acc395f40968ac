"""Whether a Sealgate answers, and what it says of its parts.

``python -m script.readiness`` is how script/server says that it serves: once it does.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import urllib3

_SECONDS: Final = 120.0
_PAUSE: Final = 0.3


def checks_at(url: str, host: str = "") -> Mapping[str, Any] | None:
    """Return the checks of /readyz, or None where no Sealgate answers.

    ``host`` is the name it is asked by, where that is not the one of ``url``.
    """
    probe = f"probe-{secrets.token_hex(8)}"
    headers = {"X-Request-Id": probe} | ({"Host": host} if host else {})
    try:
        with urllib3.PoolManager(retries=False, timeout=5) as pool:
            alive = pool.request("GET", f"{url}/livez", headers=headers)
            if alive.status != 200 or alive.headers.get("X-Request-Id") != probe:
                return None
            checks = pool.request("GET", f"{url}/readyz", headers=headers).json()["checks"]
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return None
    # Other programs have probes too; this check is ours alone.
    return checks if isinstance(checks, dict) and "master_key" in checks else None


def missing(checks: Mapping[str, Any] | None) -> str:
    """Return what requests cannot be served without, as text; empty where nothing is missing."""
    if checks is None:
        return "no answer"
    # A worker that is not there yet delays callbacks, and no request.
    failing = {name: said for name, said in checks.items() if said != "ok" and name != "worker"}
    return ", ".join(f"{name}: {said}" for name, said in failing.items())


def wait(
    probe: Callable[[], str], seconds: float, *, goes_on: Callable[[], bool] = lambda: True
) -> str:
    """Ask ``probe`` until it has nothing to say or time is over; return what it said last."""
    deadline = time.monotonic() + seconds
    while (said := probe()) and goes_on() and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return said


def main() -> None:
    """Say where script/server serves as soon as it does, or what is missing after two minutes."""
    # The rest of this module needs no settings.
    from django.conf import settings  # noqa: PLC0415

    from config import env, hosts, serving  # noqa: PLC0415

    bind = serving.bind()
    reached = "127.0.0.1" if bind in {"0.0.0.0", "::", "[::]"} else bind
    host = hosts.public_host(settings.PUBLIC_URL)
    parent = os.getppid()
    left = wait(
        lambda: missing(checks_at(f"http://{reached}:{env.port()}", host)),
        _SECONDS,
        goes_on=lambda: os.getppid() == parent,
    )
    said = (
        f"Sealgate is not ready after {_SECONDS:.0f} s ({left})."
        if left
        else f"Sealgate serves http://{bind}:{env.port()} (admin at /admin/, API at /docs). "
        "Ctrl-C ends it."
    )
    sys.stderr.write(f"{said}\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main()
