"""Whose request is it: the caller's address, through trusted proxies only."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest

from flows_endpoint.exchange import Reason, Refusal
from tenants.keyring import FlowSnapshot, Network

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=8)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _parse(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def caller_address(request: HttpRequest) -> str:
    """Return the address of the caller.

    The peer of the connection, unless that is a trusted proxy: then ``X-Forwarded-For`` is read
    from the right, as far as trusted proxies wrote it. An unreadable entry stops
    the walk at the last address that was vouched for.
    """
    peer = _parse(request.META.get("REMOTE_ADDR", ""))
    if peer is None:
        return ""
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    address = peer
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while hops and _within(address, trusted):
        hop = _parse(hops.pop())
        if hop is None:
            break
        address = hop
    return str(address)


def _within(address: _Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def admit(flow: FlowSnapshot, source: str) -> None:
    """Raise Refusal (source) unless the flow's allow-list is empty or holds ``source``."""
    if not flow.networks:
        return
    address = _parse(source)
    if address is None or not _within(address, flow.networks):
        raise Refusal(Reason.SOURCE, step=source)
