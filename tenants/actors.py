"""Who does something: what a permission check and an audit entry need to know."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.http import HttpRequest

from tenants.clearance import Clearance
from tenants.source_address import caller_address

#: The account of every shell on the host: who has one holds all the keys, whatever their name.
SHELL: Final = "shell"
_USER: Final = "user:"


class NotAllowedError(Exception):
    """The actor lacks the permission the verb needs. Nothing was changed."""


def _everything(_: str) -> bool:
    return True


def _nothing(_: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or process behind a verb. ``may`` answers for a Django permission.

    ``account`` tells people apart for good, where names can be changed: two actors are one person
    exactly when their accounts are equal. The product itself has none. ``clearance`` is what a
    second person has agreed to.
    """

    name: str
    address: str | None = None
    request_id: str = ""
    may: Callable[[str], bool] = field(default=_everything, repr=False)
    account: str = ""
    clearance: Clearance | None = field(default=None, repr=False)

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
            account=account_of(user),
        )

    @classmethod
    def of_account(cls, account: str, name: str) -> Actor:
        """Return who has ``account``, with the rights they have now: none for who has left.

        ``name`` is how they were called, for an account that is no more.
        """
        if account == SHELL:
            return cls(name=name, account=account)
        user = None
        number = account.removeprefix(_USER)
        if account.startswith(_USER) and number.isdecimal():
            user = get_user_model().objects.filter(pk=int(number)).first()
        if user is None:
            return cls(name=name, account=account, may=_nothing)
        is_in = user.is_active and user.is_staff
        return cls(
            name=user.get_username(), account=account, may=user.has_perm if is_in else _nothing
        )

    @classmethod
    def product(cls) -> Actor:
        """Return the product itself, for what it does by the clock."""
        return cls(name="sealgate")

    @classmethod
    def command_line(cls) -> Actor:
        """Return whoever runs a management command; a shell on the host may do everything."""
        number = os.getuid()
        try:
            user = pwd.getpwuid(number).pw_name
        except KeyError:  # a container's user need not be in its list
            user = str(number)
        return cls(name=f"shell:{user}", account=SHELL)


def account_of(user: AbstractBaseUser | AnonymousUser) -> str:
    """Return the account of a person who is signed in; empty for nobody."""
    return f"{_USER}{user.pk}" if user.is_authenticated else ""
