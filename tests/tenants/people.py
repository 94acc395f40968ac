"""People with accounts and roles, as the verbs see them."""

from __future__ import annotations

from django.contrib.auth.models import Group, User

from tenants.actors import Actor, account_of


def somebody(name: str, *roles: str) -> Actor:
    """Return a new member of staff with these roles."""
    user = User.objects.create_user(name, is_staff=True)
    user.groups.set(Group.objects.filter(name__in=roles))
    assert user.groups.count() == len(roles)
    return acting(user)


def acting(user: User) -> Actor:
    """Return a person as they act in the admin now."""
    return Actor(name=user.get_username(), may=user.has_perm, account=account_of(user))
