"""What may be typed in for an endpoint."""

from __future__ import annotations

import re
from typing import Any, Final

from django.core.exceptions import ValidationError

FASTEST: Final = 10_000
LARGEST_BURST: Final = 100_000
MOST_AT_ONCE: Final = 256
MOST_WAITS: Final = 50
LONGEST_WAIT: Final = 7 * 86_400
LONGEST_SCHEDULE: Final = 30 * 86_400
#: Headers the transport or the protocol sets; one set twice means different things to different
#: servers.
_TAKEN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


def validate_schedule(value: Any) -> None:
    """Refuse what is not a list of waits in seconds. Raises ValidationError."""
    example = "Write seconds, such as 5, 60, 3600."
    if not isinstance(value, list) or len(value) > MOST_WAITS:
        raise ValidationError(f"At most {MOST_WAITS} waits. {example}")
    for wait in value:
        if isinstance(wait, bool) or not isinstance(wait, int) or not 1 <= wait <= LONGEST_WAIT:
            raise ValidationError(f"Each wait is 1 to {LONGEST_WAIT} whole seconds. {example}")
    if sum(value) > LONGEST_SCHEDULE:
        raise ValidationError(f"All waits together are at most {LONGEST_SCHEDULE} seconds.")


def validate_auth_name(value: str) -> None:
    """Refuse what can be neither a user name nor the name of a header. Raises ValidationError."""
    if not re.fullmatch(r"[\x21-\x39\x3b-\x7e]+", value):
        raise ValidationError("Printable ASCII without blanks and colons only.")
    if value.lower() in _TAKEN:
        raise ValidationError(f"The header {value} is set by the protocol. Choose another.")
