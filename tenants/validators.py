"""Checks of what an administrator types."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.core.exceptions import ValidationError

from tenants.outbound_addresses import rules
from tenants.outbound_urls import OutboundUrlError, parse_outbound_url

_ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?")


def validate_address(value: str) -> None:
    """Refuse an address that could not stand in a URL or a user id."""
    if not _ADDRESS.fullmatch(value):
        raise ValidationError(
            "An address is 1 to 64 letters, digits and . _ @ - and begins and ends with a "
            "letter or digit."
        )


def validate_outbound_url(value: str) -> None:
    """Refuse anything but an http or https URL that a callback or upstream call can go to.

    Names of the local network (``http://orders:8080/hook``) are fine here: the machine they lead
    to is judged when it is dialled. User names and passwords are refused: an address stands in
    pages, logs and the audit trail.
    """
    try:
        url = parse_outbound_url(value)
    except OutboundUrlError as error:
        raise ValidationError(str(error)) from None
    if not value.startswith(url.scheme):
        raise ValidationError("Write http or https in small letters.")
    if why := rules().refusal_of(url):
        raise ValidationError(why)


def validate_networks(value: Any) -> None:
    """Refuse anything but a list of IP networks in CIDR form."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValidationError('Write a list of networks, such as ["203.0.113.0/24"].')
    for item in value:
        try:
            network = ipaddress.ip_network(item, strict=True)
        except ValueError:
            raise ValidationError(
                f"{item} is not a network. Write an address or CIDR without host bits, "
                "such as 203.0.113.0/24."
            ) from None
        if getattr(network.network_address, "ipv4_mapped", None):
            raise ValidationError(f"Write the IPv4 network that {item} stands for.")


def validate_storable(value: Any) -> None:
    """Refuse JSON with text that a database cannot keep: NUL, or half a surrogate pair."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ValidationError("NUL and lone surrogates are not allowed in text.")
    elif isinstance(value, dict):
        for name, member in value.items():
            validate_storable(name)
            validate_storable(member)
    elif isinstance(value, list | tuple):
        for member in value:
            validate_storable(member)
