"""Whose request is it: the caller's address, believed through trusted proxies only.

Imports no models: the settings check the list of proxies before anything else starts.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

from django.conf import settings
from django.http import HttpRequest

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


#: Longest X-Forwarded-For whose caller is remembered, in characters: some addresses' worth.
_LONGEST_REMEMBERED: Final = 128


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of addresses or CIDR texts. Raises ValueError naming the bad one."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def parse_address(text: str) -> Address | None:
    """Return the address ``text`` is, or None.

    An IPv4 address mapped into IPv6 is the IPv4 address; a zone (``fe80::1%eth0``) is the
    sender's local affair and dropped.
    """
    try:
        address = ipaddress.ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether one of ``networks`` holds ``address``."""
    return any(address.version == network.version and address in network for network in networks)


def find_caller(peer: str, forwarded_for: str, trusted: Iterable[Network]) -> str:
    """Return the caller's address; empty when ``peer`` is none.

    It is the peer of the connection, unless that is a trusted proxy: then ``forwarded_for``
    (X-Forwarded-For) is read from the right, as far as trusted proxies wrote it. An
    unreadable entry stops the walk at the last address that was vouched for.
    """
    address = parse_address(peer)
    if address is None:
        return ""
    networks = tuple(trusted)
    hops = forwarded_for.split(",")
    while hops and is_within(address, networks):
        hop = parse_address(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


def caller_address(request: HttpRequest) -> str:
    """Return the address of the caller of ``request`` (SEALGATE_TRUSTED_PROXIES)."""
    peer = request.META.get("REMOTE_ADDR", "")
    forwarded_for = request.META.get("HTTP_X_FORWARDED_FOR", "")
    trusted = _trusted(tuple(settings.TRUSTED_PROXIES))
    if len(forwarded_for) > _LONGEST_REMEMBERED:
        return find_caller(peer, forwarded_for, trusted)
    return _remembered(peer, forwarded_for, trusted)


@lru_cache(maxsize=4096)
def _remembered(peer: str, forwarded_for: str, trusted: tuple[Network, ...]) -> str:
    return find_caller(peer, forwarded_for, trusted)


@lru_cache(maxsize=8)
def _trusted(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return parse_networks(texts)
