"""Which machines may be dialled: the guard against server-side request forgery.

A callback URL is typed by people, and a name can resolve to anything, so the *address* is
judged, at the moment it is dialled, and exactly that address is connected to. A name that resolves
to one public and one internal address is refused as a whole: honest names do not.

Which addresses are refused stands in tenants/outbound_addresses.py, for where one is typed in too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_address

from callbacks.errors import Kind, TransportError
from tenants.outbound_addresses import Address, OutboundRules, rules
from tenants.outbound_urls import OutboundUrl, OutboundUrlError, parse_outbound_url


class OutboundPolicy(OutboundRules):
    """What may be dialled, by this process's settings.

    Another process may know better: no refusal is for good.
    """

    def check(self, address: Address, port: int) -> None:
        """Raise TransportError (refused_address) unless ``address`` may be dialled at ``port``."""
        if why := self.refusal(address, port):
            raise TransportError(Kind.REFUSED_ADDRESS, why)

    def check_plain(self, addresses: Iterable[Address]) -> None:
        """Raise TransportError (insecure) unless all ``addresses`` are in allow-listed networks.

        Plain HTTP is for sandboxes and for networks the operator vouches for.
        """
        if not all(self.exempts(address) for address in addresses):
            raise TransportError(
                Kind.INSECURE,
                "Plain HTTP leaves the installation. Use https, or list the receiver's network in "
                "SEALGATE_OUTBOUND_ALLOW.",
            )


def policy() -> OutboundPolicy:
    """Return the policy of the settings. Raises ImproperlyConfigured."""
    return _policy(rules())


@lru_cache(maxsize=8)
def _policy(given: OutboundRules) -> OutboundPolicy:
    return OutboundPolicy(given.allow, given.ports)


def checked(candidates: Sequence[str], port: int, policy: OutboundPolicy) -> list[Address]:
    """Return ``candidates``, each once, all of which may be dialled at ``port``.

    Raises TransportError: dns when there is none or one cannot be read, refused_address when any
    of them is refused.
    """
    try:
        addresses = [ip_address(candidate) for candidate in dict.fromkeys(candidates)]
    except ValueError:
        raise TransportError(Kind.DNS, "The name resolved to something unreadable.") from None
    if not addresses:
        raise TransportError(Kind.DNS, "The name has no address.")
    for address in addresses:
        policy.check(address, port)
    return addresses


def parsed(url: str) -> OutboundUrl:
    """Return the parts of ``url``. Raises TransportError (bad_url)."""
    try:
        return parse_outbound_url(url)
    except OutboundUrlError as error:
        raise TransportError(Kind.BAD_URL, str(error), permanent=True) from None
