"""Read a request's body, never more than allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from flows_endpoint.exchange import Reason, Refusal


def declares_more(environ: Mapping[str, Any], limit: int) -> bool:
    """Return whether a request says of its body that it has more than ``limit`` bytes."""
    declared = environ.get("CONTENT_LENGTH") or ""
    return declared.isascii() and declared.isdigit() and int(declared.lstrip("0")[:12] or 0) > limit


def read_body(request: HttpRequest, limit: int) -> bytes:
    """Return the body, at most ``limit`` bytes.

    Reads chunked bodies too (no Content-Length), which Django by itself takes for empty.
    Raises Refusal: size when it is larger, malformed when the connection breaks off.
    """
    if declares_more(request.META, limit):
        raise Refusal(Reason.SIZE, step="content-length")
    try:
        if (
            not request.META.get("CONTENT_LENGTH")
            and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
        ):
            body = bytes(request.META["wsgi.input"].read(limit + 1))
        else:
            body = request.body
    except RequestDataTooBig:
        raise Refusal(Reason.SIZE, step="body") from None
    except Exception:  # noqa: BLE001 - each server has its own for bad chunks and lost connections
        raise Refusal(Reason.MALFORMED, step="body broke off") from None
    if len(body) > limit:
        raise Refusal(Reason.SIZE, step="body")
    return body
