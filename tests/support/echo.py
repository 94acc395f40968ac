"""A WSGI application that answers with what the web server told it, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer with every text of ``environ``, and with the body (not at ``/unread``)."""
    told = {k: v for k, v in environ.items() if isinstance(v, str)}
    if environ["PATH_INFO"] != "/unread":
        told["body"] = environ["wsgi.input"].read().decode("latin-1")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
