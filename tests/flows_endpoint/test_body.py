"""However a body breaks off, it is the caller's doing and answered as such."""

from __future__ import annotations

import http.client
from typing import Any

import pytest
from django.test import RequestFactory
from gunicorn.http import errors as server

from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.guards.body import read_body

pytestmark = pytest.mark.once


class Broken:
    """A body that cannot be read to its end."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def read(self, *_: int) -> bytes:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        server.InvalidChunkSize(b"zz"),
        server.ChunkMissingTerminator(b"XX"),
        server.NoMoreData(),
        ConnectionResetError(),
        BlockingIOError(),
        http.client.IncompleteRead(b""),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_that_breaks_off_is_malformed(error: Exception, is_chunked: bool) -> None:
    request = RequestFactory().post("/", b"{}", content_type="application/json")
    broken: Any = Broken(error)
    request.META["wsgi.input"] = request._stream = broken
    if is_chunked:
        del request.META["CONTENT_LENGTH"]
        request.META["HTTP_TRANSFER_ENCODING"] = "chunked"
    with pytest.raises(Refusal) as refused:
        read_body(request, 100)
    assert (refused.value.reason, refused.value.step) == (Reason.MALFORMED, "body broke off")
