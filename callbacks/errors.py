"""The one way an outgoing call fails."""

from __future__ import annotations

from enum import StrEnum

from callbacks.timings import Timings


class Kind(StrEnum):
    """Where an outgoing call stopped."""

    BAD_URL = "bad_url"  # not an address that can be called, or a header that cannot be sent
    REFUSED_ADDRESS = "refused_address"  # the address or port must not be dialled
    INSECURE = "insecure"  # plain HTTP to a machine outside the allow-listed networks
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"  # connecting, waiting for bytes, or the whole call
    PROTOCOL = "protocol"  # the connection broke, or what came back is not HTTP
    TOO_LARGE = "too_large"


#: Calls that ended so say that the receiver as a whole is away, or not well.
_OUTAGES = frozenset({Kind.DNS, Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL})


class TransportError(Exception):
    """An outgoing call failed.

    ``permanent`` says that trying again cannot help until somebody changes the address.
    ``status`` is the HTTP status when the failure came after it. The text names the rule and never
    holds the URL, a header or a body.
    """

    def __init__(
        self, kind: Kind, what: str, *, permanent: bool = False, status: int | None = None
    ) -> None:
        super().__init__(f"{kind.value}: {what}")
        self.kind = kind
        self.what = what
        self.permanent = permanent
        self.status = status
        #: Where the time went, once the call is over.
        self.timings = Timings()

    @property
    def is_outage(self) -> bool:
        """Return whether the receiver as a whole seems to be away."""
        return self.kind in _OUTAGES
