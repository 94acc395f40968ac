"""What is answered to what is no HTTP request of the product's, and what the log says of it.

Gunicorn quotes such a request, in its answer and in its log: a header cut in two may be half of a
credential. Here the answer says what kind of mistake it is, and the log says it and from whom.
"""

from __future__ import annotations

import json
from ssl import SSLError
from typing import Final, NamedTuple

from gunicorn.http import errors


class Refused(NamedTuple):
    """A status, its reason phrase, and what the caller may do about it."""

    status: int
    reason: str
    advice: str = ""

    @property
    def answer(self) -> bytes:
        """Return the whole answer, after which the connection closes."""
        said = {"error": f"{self.reason}. {self.advice}".strip()}
        body = json.dumps(said).encode()
        return (
            f"HTTP/1.1 {self.status} {self.reason}\r\n"
            "Connection: close\r\n"
            "Content-Type: application/json\r\n"
            "Cache-Control: no-store\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1") + body


HEAD_TOO_LARGE: Final = Refused(
    431, "Request Header Fields Too Large", "Send fewer or shorter header fields."
)
BODY_TOO_LARGE: Final = Refused(413, "Content Too Large", "Send a smaller body.")
TOO_SLOW: Final = Refused(408, "Request Timeout", "Send the whole request at once.")
TOO_BUSY: Final = Refused(
    503, "Service Unavailable", "Many large requests are on their way. Send it again later."
)
FAILED: Final = Refused(500, "Internal Server Error")
_KINDS: Final[tuple[tuple[type[Exception], Refused], ...]] = (
    (errors.LimitRequestLine, Refused(414, "URI Too Long", "Send a shorter address.")),
    (errors.LimitRequestHeaders, HEAD_TOO_LARGE),
    (
        errors.ExpectationFailed,
        Refused(417, "Expectation Failed", "Expect 100-continue or nothing."),
    ),
    (
        errors.UnsupportedTransferCoding,
        Refused(501, "Not Implemented", "Send a Content-Length, or chunks."),
    ),
    (errors.InvalidHeader, Refused(400, "Bad Request", "A header field is not in good form.")),
    (errors.InvalidHeaderName, Refused(400, "Bad Request", "A header's name is not in good form.")),
    (errors.InvalidRequestLine, Refused(400, "Bad Request", "The first line is not HTTP/1.1.")),
    (errors.ParseException, Refused(400, "Bad Request", "This is not HTTP/1.1.")),
    (SSLError, Refused(400, "Bad Request", "This is not HTTP/1.1 over TLS.")),
)
#: Of ours, whatever they are derived from.
_OURS: Final = (
    errors.ConfigurationProblem,
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
)


def refusal_of(error: BaseException) -> Refused:
    """Return what is answered where ``error`` ended a request: 500 unless it is the caller's."""
    if isinstance(error, _OURS):
        return FAILED
    return next((refused for kind, refused in _KINDS if isinstance(error, kind)), FAILED)
