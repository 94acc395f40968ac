"""The OpenAPI document. It takes half a second to make, and anybody may ask for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

#: Seconds one document is served. Some of its examples carry the time and open for minutes only.
SERVED_FOR: Final = 60.0


class Document:
    """The document as JSON, made by one thread at a time and anew when it is a minute old.

    The generator cannot serve two threads: what describes an address remembers its view.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._text = b""
        self._made_at = float("-inf")

    def text(self) -> bytes:
        """Return the document as UTF-8 JSON."""
        with self._lock:
            if self._clock() - self._made_at >= SERVED_FOR:
                schema = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
                    request=None, public=True
                )
                self._text = OpenApiJsonRenderer().render(schema)
                self._made_at = self._clock()
            return self._text


_document = Document()


def openapi(_: HttpRequest) -> HttpResponse:
    """Answer with the document."""
    return HttpResponse(_document.text(), content_type="application/json")
