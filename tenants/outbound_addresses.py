"""Which addresses may be called: what IANA lists as public, and what the operator allows.

Judged where an address is typed in (tenants/validators.py) and, for the machine it leads to, at the
moment it is dialled (callbacks/ssrf.py).

Refused is everything IANA does not list as globally reachable unicast, and every IPv6 form that
carries such an IPv4 address inside. Networks in ``SEALGATE_OUTBOUND_ALLOW`` are exempt, and any
port may be dialled there; elsewhere only ``SEALGATE_OUTBOUND_PORTS``.

Sources: the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890), RFC 4291 (IPv6),
RFC 6052 (NAT64), RFC 3056 and 7526 (6to4), RFC 4380 (Teredo).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import TypeAlias

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tenants.outbound_urls import OutboundUrl

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_REFUSED_IPV4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared carrier"),  # and a cloud's metadata, 100.100.100.200
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),  # Azure's, in the middle of public space
        ("169.254.0.0/16", "link-local"),  # and most clouds' metadata
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmark"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_REFUSED_IPV6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)


_PORT = "The port is not in SEALGATE_OUTBOUND_PORTS."


@dataclass(frozen=True, slots=True)
class OutboundRules:
    """What may be called: ``allow`` are exempt networks, ``ports`` those of all others."""

    allow: tuple[Network, ...]
    ports: frozenset[int]

    def exempts(self, address: Address) -> bool:
        """Return whether ``address`` is in an allow-listed network."""
        address = _unmapped(address)
        return any(address in network for network in self.allow)

    def refusal(self, address: Address, port: int) -> str:
        """Return why ``address`` must not be dialled at ``port``; empty where it may be."""
        if self.exempts(address):
            return ""
        if what := refused_range(address):
            return (
                f"The address is in a {what} range. Use a public one, or list its network in "
                "SEALGATE_OUTBOUND_ALLOW."
            )
        return "" if port in self.ports else _PORT

    def refusal_of(self, url: OutboundUrl) -> str:
        """Return why ``url`` can never be called; asks no name server.

        What a name resolves to is judged when it is dialled; a port may still be right there if
        the name turns out to be in an allow-listed network.
        """
        literal = url.literal
        if literal is None and (url.host == "localhost" or url.host.endswith(".localhost")):
            literal = IPv4Address("127.0.0.1")  # RFC 6761 §6.3
        if literal is not None:
            return self.refusal(literal, url.port)
        return "" if self.allow or url.port in self.ports else _PORT


def rules() -> OutboundRules:
    """Return the rules of the settings. Raises ImproperlyConfigured."""
    return _rules(tuple(settings.OUTBOUND_ALLOW), tuple(settings.OUTBOUND_PORTS))


@lru_cache(maxsize=8)
def _rules(allow: tuple[str, ...], ports: tuple[int, ...]) -> OutboundRules:
    try:
        networks = tuple(ip_network(item.strip(), strict=True) for item in allow)
    except ValueError as error:
        raise ImproperlyConfigured(
            f"SEALGATE_OUTBOUND_ALLOW: {error}. Write networks such as 10.20.0.0/16, "
            "separated by commas."
        ) from None
    return OutboundRules(allow=networks, ports=frozenset(ports))


def refused_range(address: Address) -> str:
    """Return the name of the refused range ``address`` is in; empty for a public address.

    IPv4-mapped and NAT64 addresses are what they carry; 6to4 and Teredo are refused always.
    """
    address = _unmapped(address)
    if isinstance(address, IPv4Address):
        return next((what for network, what in _REFUSED_IPV4 if address in network), "")
    if address in _NAT64:
        return refused_range(IPv4Address(int(address) & 0xFFFFFFFF))
    for network, what in _REFUSED_IPV6:
        if address in network:
            return what
    return "" if address in _GLOBAL_IPV6 else "reserved"


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address an IPv4-mapped one is (RFC 4291 §2.5.5.2): the kernel dials that."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
