"""``manage.py key promote``: waits for the processes, names those it waited for in vain."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Key, KeyringEpoch, ProcessReport
from tests.tenants.reports import report

Make = Callable[..., IssuedFlow]


@pytest.fixture
def staged(make_flow: Make, actor: Actor) -> Key:
    return lifecycle.generate_key(actor, make_flow("citcall").flow, "api_key").key


def promote(key: Key, *arguments: str) -> dict[str, str]:
    out = io.StringIO()
    call_command("key", "promote", str(key.pk), "--json", *arguments, stdout=out)
    printed: dict[str, str] = json.loads(out.getvalue())
    return printed


@pytest.mark.django_db
def test_it_fails_with_the_list_when_the_time_is_over(staged: Key) -> None:
    report(11)
    report(12, kind="worker", behind=1)
    entries = AuditEntry.objects.count()
    began = time.monotonic()
    with pytest.raises(CommandError) as refused:
        promote(staged, "--wait", "0.3")
    assert 0.3 <= time.monotonic() - began < 10
    assert "Loaded by 1 of 2 processes" in str(refused.value)
    assert "worker node-a:12 has not loaded it yet" in str(refused.value)
    staged.refresh_from_db()
    assert staged.state == "staged"
    assert AuditEntry.objects.count() == entries


@pytest.mark.django_db(transaction=True)
def test_it_waits_until_the_last_process_has_loaded_it(staged: Key) -> None:
    late = report(12, behind=1)

    def load() -> None:
        time.sleep(0.5)
        epoch = KeyringEpoch.objects.get(pk=1).value
        ProcessReport.objects.filter(pk=late.pk).update(epoch=epoch)
        connection.close()

    process = threading.Thread(target=load)
    process.start()
    try:
        assert promote(staged)["state"] == "active"
    finally:
        process.join()


@pytest.mark.django_db
def test_force_waits_for_nobody_and_is_audited(staged: Key) -> None:
    report(12, behind=1)
    began = time.monotonic()
    assert promote(staged, "--force", "the node burns")["state"] == "active"
    assert time.monotonic() - began < 5
    entry = AuditEntry.objects.get(verb="key.promote")
    assert entry.reason == "the node burns"
    assert entry.after["not_loaded_by"] == ["web node-a:12: has not loaded it yet"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--force", " "), "needs a reason"),
        (("--wait", "-1"), "a number of seconds"),
        (("--wait", "inf"), "a number of seconds"),
        (("--wait", "soon"), "a number of seconds"),
    ],
)
def test_what_makes_no_sense_is_said(staged: Key, arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        promote(staged, *arguments)
    staged.refresh_from_db()
    assert staged.state == "staged"
