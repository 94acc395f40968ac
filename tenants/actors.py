"""Who does something: what a permission check and an audit entry need to know."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from dataclasses import dataclass, field

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest

from tenants.source_address import caller_address


class NotAllowedError(Exception):
    """The actor lacks the permission the verb needs. Nothing was changed."""


def _everything(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or process behind a verb. ``may`` answers for a Django permission."""

    name: str
    address: str | None = None
    request_id: str = ""
    may: Callable[[str], bool] = field(default=_everything, repr=False)

    def require(self, permission: str) -> None:
        """Raise NotAllowedError unless the actor has ``permission`` (``tenants.add_key``)."""
        if not self.may(permission):
            raise NotAllowedError(f"{self.name} lacks the permission {permission}.")

    @classmethod
    def from_request(cls, request: HttpRequest) -> Actor:
        """Return the signed-in user of an admin request."""
        user: AbstractBaseUser | AnonymousUser = request.user
        return cls(
            name=user.get_username() or "anonymous",
            address=caller_address(request) or None,
            request_id=str(getattr(request, "request_id", "")),
            may=user.has_perm,  # type: ignore[union-attr]
        )

    @classmethod
    def product(cls) -> Actor:
        """Return the product itself, for what it does by the clock."""
        return cls(name="sealgate")

    @classmethod
    def command_line(cls) -> Actor:
        """Return whoever runs a management command; a shell on the host may do everything."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = "unknown"
        return cls(name=f"shell:{user}")
