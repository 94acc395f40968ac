"""What getting in, and letting people in, leaves in the audit trail.

Each entry is written in the transaction of what it tells of, where there is one. A single wrong
password or code leaves none: anybody can send those by the thousand, and what the trail holds it
holds for ever. Lock-outs do, once for each lock-out, and only of people there are: what was
typed as a name may be a password. Names and addresses of mail are left out for the same reason.

What lets somebody in, or lets them do more or less than before, is mailed to the operators too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, Group, User
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from tenants import audit_chain
from tenants.actors import Actor, account_of
from tenants.lifecycle.base import one_line
from tenants.lifecycle.flow_changes import plain
from tenants.models import AuditEntry
from tenants.notices import tell_operators
from tenants.source_address import caller_address

Facts = dict[str, Any]
_LOCKED_OUT: Final = "access.locked_out"
_SAID: Final = {"is_active": "active", "is_staff": "staff", "is_superuser": "superuser"}


def actor_of(request: HttpRequest, user: AbstractBaseUser) -> Actor:
    """Return ``user`` as the one who acts, who need not be signed in yet."""
    return Actor(
        name=user.get_username(),
        address=caller_address(request) or None,
        request_id=str(getattr(request, "request_id", "")),
        account=account_of(user),
    )


@transaction.atomic
def note(
    actor: Actor,
    verb: str,
    user: AbstractBaseUser,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write that something about ``user``'s access was done."""
    who = {"person": user.get_username(), "account": account_of(user)}
    audit_chain.append(actor, verb, before=before, after={**who, **(after or {})})


# --- getting in ----------------------------------------------------------------------------


def logged_in(sender: Any, request: HttpRequest, user: AbstractBaseUser, **details: Any) -> None:
    """Note a right password at the log-in. Receives Django's signal."""
    note(actor_of(request, user), "access.log_in", user, after={"by": "password"})


def locked_out(sender: Any, request: HttpRequest, username: str, **details: Any) -> None:
    """Note that wrong passwords locked somebody out. Receives django-axes' signal.

    That is sent for every attempt while it lasts; the first is noted.
    """
    user = User.objects.filter(username=username or "").first()
    if user is None:
        return
    address = caller_address(request) or None
    told = AuditEntry.objects.filter(
        verb=_LOCKED_OUT,
        at__gte=timezone.now() - _lasts(),
        actor_address=address,
        after__account=account_of(user),
        after__by="password",
    )
    if not told.exists():
        note(Actor.from_request(request), _LOCKED_OUT, user, after={"by": "password"})


def made_to_wait(request: HttpRequest, user: AbstractBaseUser, failures: int) -> None:
    """Note that wrong codes make the next one wait long."""
    told = {"by": "code", "failures": failures}
    note(actor_of(request, user), _LOCKED_OUT, user, after=told)


def _lasts() -> timedelta:
    lasts: timedelta = settings.AXES_COOLOFF_TIME
    return lasts


# --- people and roles ----------------------------------------------------------------------


def facts_of_person(user: User) -> Facts:
    """Return what decides what a person may do, as the database has it."""
    return {
        "username": user.username,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "roles": sorted(user.groups.values_list("name", flat=True)),
        "permissions": _permissions(user.user_permissions),
    }


def facts_of_role(role: Group) -> Facts:
    """Return what a role gives, as the database has it."""
    return {"name": role.name, "permissions": _permissions(role.permissions)}


def note_person(actor: Actor, user: User, before: Facts | None) -> None:
    """Write how a person changed since ``before`` (None: they are new), if they did."""
    after = facts_of_person(user)
    if before is None:
        note(actor, "person.create", user, after=after)
        _tell(actor, "person.create", f"{user.username} is new", _rights(after))
    elif before != after:
        change = _differing(before, after)
        note(actor, "person.update", user, **change)
        _tell(actor, "person.update", f"What {user.username} may do was changed", _lines(change))


@contextmanager
def noting_password(request: HttpRequest, pk: Any) -> Iterator[None]:
    """Write that a person's password was set, in one transaction, if the block sets it."""
    if request.method != "POST":
        yield
        return
    passwords = User.objects.filter(pk=pk).values_list("password", flat=True)
    with transaction.atomic():
        before = passwords.first()
        yield
        if passwords.first() != before:
            actor, user = Actor.from_request(request), User.objects.get(pk=pk)
            note(actor, "person.password", user)
            if account_of(user) != actor.account:
                _tell(actor, "person.password", f"The password of {user.username} was set", [])


@transaction.atomic
def forgot_second_factor(actor: Actor, user: AbstractBaseUser) -> None:
    """Note that a person sets up a second factor anew at their next log-in."""
    verb = "access.forget_second_factor"
    note(actor, verb, user)
    _tell(actor, verb, f"The second factor of {user.get_username()} was forgotten", [])


@transaction.atomic
def note_role(actor: Actor, role: Group, before: Facts | None) -> None:
    """Write how a role changed since ``before`` (None: it is new), if it did."""
    after = facts_of_role(role)
    named = {"role": role.name}
    if before is None:
        audit_chain.append(actor, "role.create", after={**named, **after})
        _tell(actor, "role.create", f"The role {role.name} is new", _rights(after))
    elif before != after:
        change = _differing(before, after)
        audit_chain.append(
            actor, "role.update", before=change["before"], after={**named, **change["after"]}
        )
        _tell(actor, "role.update", f"The role {role.name} was changed", _lines(change))


def _tell(actor: Actor, verb: str, title: str, lines: list[str]) -> None:
    """Have the operators told what was done, by whom, and where to read of it."""
    where = f" from {actor.address}" if actor.address else ""
    told = [*lines, f"By: {actor.name}{where}", f"The audit trail has it as {verb}."]
    tell_operators(one_line(title), "\n".join(told))


def _lines(change: Mapping[str, Facts]) -> list[str]:
    """Return a line for each thing that differs."""
    before, after = change["before"], change["after"]
    return [
        f"{_SAID.get(name, name).capitalize()}: {plain(before[name])} -> {plain(after[name])}"
        for name in after
    ]


def _rights(facts: Facts) -> list[str]:
    """Return a line for each thing that somebody or a role is given from the start."""
    given = {name: value for name, value in facts.items() if name not in {"username", "name"}}
    return [
        f"{_SAID.get(name, name).capitalize()}: {plain(value)}" for name, value in given.items()
    ]


def _permissions(granted: Any) -> list[str]:
    pairs = granted.values_list("content_type__app_label", "codename")
    return sorted(f"{label}.{codename}" for label, codename in pairs)


def _differing(before: Facts, after: Facts) -> dict[str, Facts]:
    names = [name for name in after if before[name] != after[name]]
    return {
        "before": {name: before[name] for name in names},
        "after": {name: after[name] for name in names},
    }
