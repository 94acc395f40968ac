"""The form of an address the product is told to call: pure checks, no look-up, no network.

Whoever stores such an address checks it here first; whether the machine behind it may be dialled
is decided when it is dialled (callbacks/ssrf.py).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

#: Longest address in characters.
MAX_LENGTH = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}

#: Unreserved, reserved and percent: RFC 3986 §2. Anything else must be percent-encoded.
_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
#: urlsplit drops what stands beside the brackets in some versions of Python.
_BRACKETED = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]*)?")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
#: A last label that some resolvers read as part of an IPv4 address (WHATWG URL §3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class OutboundUrlError(ValueError):
    """The address cannot be called. The message says what to write and never quotes it."""


@dataclass(frozen=True, slots=True)
class OutboundUrl:
    """An address taken apart. ``host`` is lower case, without brackets; ``target`` is what stands
    in the request line, path and query."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def literal(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """Return the IP address the host is, or None for a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def parse_outbound_url(url: str) -> OutboundUrl:
    """Return the parts of ``url``. Raises OutboundUrlError.

    Taken are http and https with a host name or IP address, and no user name or password.
    """
    if len(url) > MAX_LENGTH:
        raise OutboundUrlError(f"The address is longer than {MAX_LENGTH} characters.")
    if not _CHARACTERS.fullmatch(url):
        raise OutboundUrlError(
            "The address is empty or holds a character that must be percent-encoded "
            "(a host with other letters: its xn-- form)."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise OutboundUrlError("The host or port of the address cannot be read.") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise OutboundUrlError(
            "Write an http or https address, such as https://partner.example/callbacks."
        )
    if "@" in parts.netloc:
        raise OutboundUrlError(
            "Leave user name and password out of the address; requests are signed."
        )
    if "#" in url:
        raise OutboundUrlError("Leave out what follows #: it is never sent.")
    bracketed = "[" in parts.netloc
    if bracketed and not _BRACKETED.fullmatch(parts.netloc):
        raise OutboundUrlError("Write an IPv6 address as [address] or [address]:port.")
    _check_host(host, bracketed=bracketed)
    if port == 0:
        raise OutboundUrlError("The port must be 1 to 65535.")
    return OutboundUrl(
        scheme=parts.scheme,
        host=host,
        port=port or DEFAULT_PORTS[parts.scheme],
        target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )


def _check_host(host: str, *, bracketed: bool) -> None:
    """Refuse what is neither a plain name nor an IP address in its one canonical form.

    ``127.1``, ``0x7f000001`` and ``2130706433`` are one address to some resolvers and a name
    to others, so none of them is taken.
    """
    if bracketed:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise OutboundUrlError("The host in brackets is not an IPv6 address.") from None
        return
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise OutboundUrlError("Write an IPv4 address as four decimal numbers.") from None
        return
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise OutboundUrlError("The address has no proper host name.")
