"""The people of the tests, and ``manage.py key`` as typed.

In the admin: nobody, staff without rights, a viewer, an administrator. Of the second person: anna
asks (a key officer), bert decides (an approver), carla does both (an administrator).
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import ManagementUtility
from django.db import connections
from django.test import Client as Browser

from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import Keyring
from tenants.lifecycle import IssuedFlow, IssuedHandOver
from tenants.models import Client, Flow, Key
from tests.support import test_keys
from tests.tenants.clocks import Clock
from tests.tenants.people import somebody


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the committed RSA keys instead of generating."""
    test_keys.use_committed_rsa_keys(monkeypatch)


@pytest.fixture
def sign_in(db: None) -> Callable[..., Browser]:
    """Return a browser signed in as staff with some permissions: ``sign_in("view_flow", …)``."""

    def sign_in(*codenames: str, is_superuser: bool = False) -> Browser:
        name = "root" if is_superuser else "-".join(["staff", *codenames])[:150]
        user = User.objects.create_user(name, is_staff=True, is_superuser=is_superuser)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Browser()
        browser.force_login(user)
        return browser

    return sign_in


@pytest.fixture
def administrator(sign_in: Callable[..., Browser]) -> Browser:
    """A browser signed in as a superuser."""
    return sign_in(is_superuser=True)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command as from a shell: exit code, standard output, standard error."""
    # Django closes the connection after a command, and the test's transaction with it.
    monkeypatch.setattr(connections, "close_all", lambda: None)

    def run(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
        code = 0
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            try:
                ManagementUtility(["manage.py", "key", *arguments]).execute()
            except SystemExit as stopped:
                code = int(stopped.code or 0)
        return code, out.getvalue(), err.getvalue()

    return run


@pytest.fixture
def run(shell: Callable[..., tuple[int, str, str]]) -> Callable[..., str]:
    """Run the command, which must succeed and print nothing but its result."""

    def run(*arguments: str, given: bytes = b"") -> str:
        code, out, err = shell(*arguments, given=given)
        assert (code, err) == (0, "")
        return out

    return run


@pytest.fixture
def report(run: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """Run the command with --json; return the one object it prints."""

    def report(*arguments: str, given: bytes = b"") -> dict[str, Any]:
        out = run(*arguments, "--json", given=given)
        assert out.endswith("\n")
        assert out.count("\n") == 1
        found: dict[str, Any] = json.loads(out)
        return found

    return report


@pytest.fixture
def anna(db: None) -> Actor:
    return somebody("anna", "Key officer")


@pytest.fixture
def bert(db: None) -> Actor:
    return somebody("bert", "Approver")


@pytest.fixture
def carla(db: None) -> Actor:
    return somebody("carla", "Administrator")


@pytest.fixture
def guarded(make_flow: Callable[..., IssuedFlow], actor: Actor, client_row: Client) -> Flow:
    """A flow of a client whose keys need two people."""
    flow = make_flow("citcall").flow
    lifecycle.update_client(actor, client_row, {"needs_second_person": True})
    return flow


@pytest.fixture
def guarded_key(guarded: Flow) -> Key:
    """The active API key of that flow."""
    return guarded.keys.get(purpose="api_key")


@pytest.fixture
def link(flow: Flow, actor: Actor) -> IssuedHandOver:
    """A hand-over link for the keys of the file's own ``flow``."""
    return lifecycle.create_handover(actor, flow)


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def ring(clock: Clock, settings: Any) -> Keyring:
    """A keyring of its own that looks at the epoch every second of ``clock``."""
    settings.KEYRING_EPOCH_SECONDS = 1.0
    return Keyring(clock)
