"""A WSGI application that answers with what the web server told it, as JSON.

Some addresses do what an application should not, or seldom does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from tempfile import TemporaryFile
from typing import Any, Final

#: Seconds that ``/slow`` takes.
SLOW: Final = 3
#: What ``/large`` and ``/file`` answer with: more than the network holds for who does not read.
LARGE: Final = bytes(range(256)) * 4096 * 6  # 6 MB

_Start = Callable[[str, list[tuple[str, str]]], object]


def application(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    """Answer with every text of ``environ``, and with the body (not at ``/unread``)."""
    if environ["PATH_INFO"] in _OTHERS:
        return _OTHERS[environ["PATH_INFO"]](environ, start_response)
    told = {k: v for k, v in environ.items() if isinstance(v, str)}
    if environ["PATH_INFO"] != "/unread":
        told["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


def _large(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", str(len(LARGE)))])
    return [LARGE]


def _file(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", str(len(LARGE)))])
    file = TemporaryFile()  # noqa: SIM115 - the server closes it
    file.write(LARGE)
    file.seek(0)
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
    return wrapped


def _short(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "10")])
    return [b"short"]


def _slow(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    time.sleep(SLOW)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"slow"]


def _exit(environ: dict[str, Any], start_response: _Start) -> Iterable[bytes]:
    raise SystemExit(1)


_OTHERS: Final = {
    "/large": _large,
    "/file": _file,
    "/short": _short,
    "/slow": _slow,
    "/exit": _exit,
}
