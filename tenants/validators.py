"""Checks of what an administrator types."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from django.core.exceptions import ValidationError

_ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?")


def validate_address(value: str) -> None:
    """Refuse an address that could not stand in a URL or a user id."""
    if not _ADDRESS.fullmatch(value):
        raise ValidationError(
            "An address is 1 to 64 letters, digits and . _ @ - and begins and ends with a "
            "letter or digit."
        )


def validate_networks(value: Any) -> None:
    """Refuse anything but a list of IP networks in CIDR form."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValidationError('Write a list of networks, such as ["203.0.113.0/24"].')
    for item in value:
        try:
            ipaddress.ip_network(item, strict=True)
        except ValueError:
            raise ValidationError(
                f"{item} is not a network. Write an address or CIDR without host bits, "
                "such as 203.0.113.0/24."
            ) from None
