"""What script/server settles before it starts anything, printed as lines for its shell.

What ``.env`` and the environment say is left as it is; here are the defaults of a first run and of
a laptop. Each process reads everything else by itself (:mod:`config.env`).
"""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from config import serving
from config.env import FIRST_RUN, SERVED_AT, is_given, is_said, port, var_dir
from tenants import master_keys

_MAKERS: Final[Mapping[str, Callable[[], str]]] = {
    "SEALGATE_MASTER_KEYS": master_keys.generate,
    "SEALGATE_SECRET_KEY": lambda: secrets.token_urlsafe(64),
}


def settle() -> dict[str, str]:
    """Return the variables that script/server works with and passes on; make what is missing.

    Raises ImproperlyConfigured.
    """
    var = var_dir()
    var.mkdir(parents=True, exist_ok=True)
    _check_address(serving.bind(), port())
    for name, file in FIRST_RUN.items():
        if not is_given(name):
            _make(var / file, _MAKERS[name])
    _leave_address(var / SERVED_AT)
    settled = {
        "PORT": str(port()),
        "SEALGATE_BIND": serving.bind(),
        "SEALGATE_VAR": str(var),
        "SEALGATE_WORKER_THREADS": str(serving.worker_threads()),
    }
    return settled | (_of_a_laptop() if serving.is_laptop() else {})


def _leave_address(file: Path) -> None:
    """Leave the address to commands that are not told the port; not where they are told it all."""
    if is_given("SEALGATE_PUBLIC_URL"):
        file.unlink(missing_ok=True)
        return
    new = file.with_name(f"{file.name}.new.{os.getpid()}")
    new.write_text(f"http://127.0.0.1:{port()}\n", encoding="utf-8")
    new.replace(file)


def _of_a_laptop() -> dict[str, str]:
    """Return the defaults of a laptop, but for what is said otherwise, if only by nothing."""
    settled = {name: value for name, value in serving.LAPTOP_DEFAULTS.items() if not is_said(name)}
    if not is_given("SEALGATE_WHATSAPP_API_URL") and not is_given(
        "SEALGATE_WHATSAPP_SANDBOX_API_URL"
    ):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        settled["stand_in_port"] = str(free)
        settled["SEALGATE_WHATSAPP_SANDBOX_API_URL"] = f"http://127.0.0.1:{free}"
    return settled


def _check_address(host: str, number: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), number))
        except (OSError, OverflowError) as error:
            raise ImproperlyConfigured(
                f"Cannot listen on {host}:{number} ({getattr(error, 'strerror', error)}). "
                f"Choose another port: PORT={number + 1} script/server"
            ) from None


def _make(file: Path, make: Callable[[], str]) -> None:
    """Write a secret of the first run, unless there is one already; whole, or not at all."""
    if file.exists():
        return
    new = file.with_name(f"{file.name}.new.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{make()}\n")
    # Another copy may have been first; its secret then stands.
    with suppress(FileExistsError):
        os.link(new, file)
        sys.stderr.write(f"Made {file}. Keep a copy in a safe place.\n")
    new.unlink()


def main() -> None:
    """Print what was settled; end with a line that says what is wrong."""
    try:
        settled = settle()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    if "SEALGATE_OUTBOUND_ALLOW" in settled:
        sys.stderr.write(
            "As on a laptop: callbacks and upstreams may reach every port of this machine. "
            "SEALGATE_LAPTOP=false ends that.\n"
        )
    sys.stdout.writelines(
        f"export {name}={shlex.quote(value)}\n" for name, value in settled.items()
    )


if __name__ == "__main__":
    main()
