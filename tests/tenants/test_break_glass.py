"""In an emergency a shell on the host goes round the second person, and everybody sees it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tenants import lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import LifecycleError
from tenants.models import AuditEntry, Client, Flow, Key, OperatorNotice
from tests.tenants.asking import TOKEN, nothing_happens

pytestmark = pytest.mark.django_db


@pytest.fixture
def shell() -> Actor:
    return Actor.command_line()


def test_it_is_done_at_once_and_told_three_times(
    guarded: Flow,
    guarded_key: Key,
    shell: Actor,
    caplog: pytest.LogCaptureFixture,
    settings: Any,
) -> None:
    settings.OPERATORS_EMAIL = ["ops@company.example"]
    count = AuditEntry.objects.count()
    with caplog.at_level(logging.INFO, "sealgate.approvals"):
        lifecycle.break_glass(
            shell,
            lambda one: lifecycle.revoke_key(one, guarded_key, reason="leaked"),
            reason="nobody else is awake",
        )
    assert Key.objects.get(pk=guarded_key.pk).state == "revoked"
    done, broken = AuditEntry.objects.order_by("pk")[count:]
    assert (done.verb, done.actor, done.reason) == ("key.revoke", shell.name, "leaked")
    assert done.after["break_glass"] == "nobody else is awake"
    assert (broken.verb, broken.actor, broken.reason, broken.key) == (
        "approval.break_glass",
        shell.name,
        "nobody else is awake",
        guarded_key,
    )
    assert broken.after == {"verb": "key.revoke"}
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("key.revoke was done without the second person")
    notice = OperatorNotice.objects.get()
    assert notice.title == "key.revoke was done without a second person"
    assert f"{shell.name} broke the glass for client acme" in notice.text
    assert "nobody else is awake" in notice.text


def test_every_covered_verb_can_be_done_so(
    guarded: Flow, guarded_key: Key, shell: Actor, client_row: Client, actor: Actor
) -> None:
    material = lifecycle.read_text(guarded, "api_key", TOKEN)
    made = lifecycle.break_glass(
        shell,
        lambda one: lifecycle.import_key(one, guarded, "api_key", material),
        reason="night",
    )
    assert made.state == "staged"
    lifecycle.retire_key(actor, made)
    lifecycle.break_glass(
        shell,
        lambda one: lifecycle.schedule_destruction(one, made, days=7, reason="old"),
        reason="night",
    )
    assert Key.objects.get(pk=made.pk).destroy_at is not None
    link = lifecycle.break_glass(
        shell, lambda one: lifecycle.create_handover(one, guarded), reason="night"
    )
    assert lifecycle.open_handover(link.token, address="203.0.113.9").bundle.credentials
    lifecycle.break_glass(
        shell, lambda one: lifecycle.relax_client(one, client_row, reason="alone"), reason="night"
    )
    client_row.refresh_from_db()
    assert not client_row.needs_second_person
    entries = AuditEntry.objects.filter(verb="approval.break_glass").order_by("pk")
    assert [entry.after["verb"] for entry in entries] == [
        "key.import",
        "key.schedule_destruction",
        "handover.create",
        "client.relax",
    ]
    assert {entry.client for entry in entries} == {client_row}


def test_only_a_shell_can(guarded: Flow, guarded_key: Key, carla: Actor) -> None:
    nothing_happens(
        NotAllowedError,
        "carla cannot break the glass",
        lambda: lifecycle.break_glass(
            carla, lambda one: lifecycle.revoke_key(one, guarded_key, reason="x"), reason="night"
        ),
    )


def test_it_needs_a_reason_and_a_verb_that_is_possible(
    guarded: Flow, guarded_key: Key, shell: Actor
) -> None:
    nothing_happens(
        LifecycleError,
        "needs a reason",
        lambda: lifecycle.break_glass(
            shell, lambda one: lifecycle.revoke_key(one, guarded_key, reason="x"), reason="  "
        ),
    )
    nothing_happens(
        LifecycleError,
        "Schedule destruction takes a retired or revoked version",
        lambda: lifecycle.break_glass(
            shell,
            lambda one: lifecycle.schedule_destruction(one, guarded_key, days=7, reason="old"),
            reason="night",
        ),
    )


def test_where_nobody_else_is_needed_no_glass_is_broken(
    guarded: Flow, guarded_key: Key, shell: Actor, client_row: Client
) -> None:
    Client.objects.update(needs_second_person=False)
    lifecycle.break_glass(
        shell, lambda one: lifecycle.revoke_key(one, guarded_key, reason="x"), reason="night"
    )
    entry = AuditEntry.objects.latest("pk")
    assert entry.verb == "key.revoke"
    assert "break_glass" not in entry.after


def test_the_name_of_a_shell_is_the_systems_not_the_environments(
    shell: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    again = Actor.command_line()
    assert (again.name, again.account) == (shell.name, "shell")
    assert "somebody-else" not in again.name
