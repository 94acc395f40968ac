"""Rotating the master key: every sealed column, while the product runs, killed and gone on."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as product_settings
from django.core.management import CommandError, call_command
from django.db import models, transaction

from tenants import at_rest, lifecycle, master_rotation
from tenants.actors import Actor
from tenants.key_use import note_use
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tenants.master_keys import MasterKeys
from tenants.models import AuditEntry, Key
from tenants.sealed_columns import count_by_version, sealed_columns
from tests.support import key_life, other_process
from tests.support.at_once import at_once
from tests.tenants import sealed_rows

Make = Callable[..., IssuedFlow]
OURS = {"console", "tenants", "callbacks", "flows_endpoint"}


@pytest.fixture
def add_master(settings: Any) -> Callable[[], MasterKeys]:
    """Give the settings a master key of the next version besides the ones there are."""

    def add() -> MasterKeys:
        now: MasterKeys = settings.MASTER_KEYS
        added = {now.current_version + 1: secrets.token_bytes(32)}
        masters = MasterKeys(dict(now.by_version) | added)
        settings.MASTER_KEYS = masters
        return masters

    return add


@pytest.fixture
def run() -> Callable[..., str]:
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("rotate_master_key", *arguments, stdout=out)
        return out.getvalue()

    return run


def only_newest() -> MasterKeys:
    masters: MasterKeys = product_settings.MASTER_KEYS
    return MasterKeys({masters.current_version: masters.current})


def left(version: int) -> int:
    return sum(column.not_under(version).count() for column in sealed_columns())


def test_every_binary_column_of_ours_takes_part() -> None:
    binary = sorted(
        f"{model._meta.label_lower}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        if model.__module__.split(".")[0] in OURS
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField)
    )
    assert [column.label for column in sealed_columns()] == binary
    # A new column needs a row of its own in the tests below.
    assert binary == sealed_rows.LABELS


def test_no_two_rows_share_a_context(db: None, make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    seen = []
    for label in sealed_rows.LABELS:
        column = sealed_rows.column_of(label)
        seen += [column.context(sealed_rows.make(flow, label, b"x")) for _ in range(2)]
    assert len(set(seen)) == len(seen)


@pytest.mark.django_db
def test_every_column_is_sealed_again_and_the_old_key_can_go(
    make_flow: Make, add_master: Callable[[], MasterKeys], settings: Any, actor: Actor
) -> None:
    flows = {name: make_flow(name).flow for name in ("citcall", "kairos", "isu", "flynn")}
    rows = {
        label: [sealed_rows.make(flows["citcall"], label, f"{label} {n}".encode()) for n in "ab"]
        for label in sealed_rows.LABELS
    }
    secrets_before = {
        key.pk: at_rest.open_sealed(key.material, key.at_rest_context)
        for key in Key.objects.exclude(purpose="other")
    }
    add_master()
    before = Key.objects.order_by("pk").values("pk", "use_count", "state", "fingerprint")
    facts = list(before)
    report = master_rotation.rotate(actor)
    assert report.is_complete
    assert (report.version, report.left, report.unreadable) == (2, 0, [])
    total = sum(column.rows().count() for column in sealed_columns())
    assert report.verified == total
    assert report.sealed_again == total
    settings.MASTER_KEYS = only_newest()
    keyring.forget()
    for label, (first, second) in rows.items():
        assert sealed_rows.held(first, label) == (2, f"{label} a".encode())
        assert sealed_rows.held(second, label) == (2, f"{label} b".encode())
    for pk, secret in secrets_before.items():
        key = Key.objects.get(pk=pk)
        assert at_rest.open_sealed(key.material, key.at_rest_context) == secret
    assert list(before.all()) == facts
    assert keyring.by_flow_id(str(flows["isu"].pk)) is not None
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor) == ("master_key.rotate", "tester")
    assert entry.verb in lifecycle.VERBS
    assert entry.after == {
        "master_key_version": 2,
        "sealed_again": total,
        "verified": total,
        "left": 0,
    }


@pytest.mark.django_db
def test_a_second_run_changes_nothing(
    make_flow: Make, add_master: Callable[[], MasterKeys], actor: Actor
) -> None:
    make_flow("citcall")
    add_master()
    master_rotation.rotate(actor)
    before = (list(Key.objects.values().order_by("pk")), AuditEntry.objects.count())
    report = master_rotation.rotate(actor)
    assert (report.sealed_again, report.is_complete) == (0, True)
    assert (list(Key.objects.values().order_by("pk")), AuditEntry.objects.count()) == before


@pytest.mark.django_db
def test_destroyed_keys_and_unanswered_steps_have_nothing_to_seal(
    make_flow: Make, add_master: Callable[[], MasterKeys], actor: Actor
) -> None:
    flow = make_flow("citcall").flow
    key = lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="test")
    key_life.destroyed(actor, key)
    add_master()
    assert master_rotation.rotate(actor).is_complete
    assert bytes(Key.objects.get(pk=key.pk).material) == b""


@pytest.mark.django_db
def test_stopped_anywhere_it_goes_on_where_it_was(
    make_flow: Make, add_master: Callable[[], MasterKeys], actor: Actor, settings: Any
) -> None:
    for _ in range(3):
        flow = make_flow("citcall").flow
    add_master()
    total = left(2)
    seen = 0

    def stop(label: str, done: int, _: int) -> None:
        nonlocal seen
        seen += 1
        if label.startswith("tenants.key") and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        master_rotation.rotate(actor, stop)
    assert seen
    keyring.forget()
    assert keyring.by_flow_id(str(flow.pk)) is not None
    assert not AuditEntry.objects.filter(verb="master_key.rotate").exists()
    rest = left(2)
    assert rest < total
    report = master_rotation.rotate(actor)
    assert report.is_complete
    assert report.sealed_again == rest
    settings.MASTER_KEYS = only_newest()
    keyring.forget()
    assert keyring.by_flow_id(str(flow.pk)) is not None


@pytest.mark.django_db
def test_what_does_not_open_is_named_and_the_rest_is_done(
    make_flow: Make, add_master: Callable[[], MasterKeys], run: Callable[..., str]
) -> None:
    flow = make_flow("citcall").flow
    broken = flow.keys.get(purpose="api_key")
    damaged = bytes(broken.material[:-1]) + bytes([broken.material[-1] ^ 1])
    Key.objects.filter(pk=broken.pk).update(material=damaged)
    add_master()
    with pytest.raises(CommandError) as caught:
        run()
    assert f"tenants.key.material, row {broken.pk}: does not open (not_authentic)" in str(
        caught.value
    )
    assert "Keep the older master keys" in str(caught.value)
    assert bytes(Key.objects.get(pk=broken.pk).material) == damaged
    assert left(2) == 1
    assert AuditEntry.objects.latest("pk").after["left"] == 1


@pytest.mark.django_db
def test_a_master_key_removed_too_early_is_named(
    make_flow: Make, add_master: Callable[[], MasterKeys], settings: Any, actor: Actor
) -> None:
    make_flow("citcall")
    held = left(2)
    add_master()
    settings.MASTER_KEYS = only_newest()
    report = master_rotation.rotate(Actor(name="tester", may=lambda _: False))
    assert (report.sealed_again, report.verified, report.left) == (0, 0, held)
    assert {item.code for item in report.unreadable} == {"unknown_master_key"}
    assert not AuditEntry.objects.filter(verb="master_key.rotate").exists()


@pytest.mark.django_db
def test_a_process_with_the_old_setting_is_noticed(
    make_flow: Make,
    add_master: Callable[[], MasterKeys],
    run: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flow = make_flow("citcall").flow
    key = flow.keys.get(purpose="api_key")
    stale = bytes(key.material)
    add_master()
    real = master_rotation._verify

    def with_a_stale_process(*arguments: Any) -> None:
        Key.objects.filter(pk=key.pk).update(material=stale)
        real(*arguments)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(master_rotation, "_verify", with_a_stale_process)
        with pytest.raises(CommandError, match="1 values are under an older master key again"):
            run()
    assert json.loads(run("--json"))["sealed_again"] == 1
    assert left(2) == 0


@pytest.mark.django_db
def test_the_counts_of_each_key(
    make_flow: Make, add_master: Callable[[], MasterKeys], run: Callable[..., str], settings: Any
) -> None:
    make_flow("citcall")
    keys = Key.objects.count()
    assert json.loads(run("--check", "--json"))["left"] == 0
    add_master()
    assert count_by_version(settings.MASTER_KEYS)["tenants.key.material"] == {"1": keys, "2": 0}
    with pytest.raises(CommandError, match="are not under master key version 2"):
        run("--check")
    text = run()
    assert "open with master key version 2 alone. Version 1 can be removed" in text
    assert json.loads(run("--check", "--json"))["columns"]["tenants.key.material"] == {
        "1": 0,
        "2": keys,
    }
    settings.MASTER_KEYS = MasterKeys({1: settings.MASTER_KEYS.by_version[1]})
    assert count_by_version(settings.MASTER_KEYS)["tenants.key.material"] == {
        "1": 0,
        "other": keys,
    }


@pytest.mark.django_db
def test_a_new_master_key_is_of_the_next_version(run: Callable[..., str], settings: Any) -> None:
    made = run("--make-key").strip()
    assert MasterKeys.parse(made).current_version == 2
    assert json.loads(run("--make-key", "--json"))["master_key"] != made
    assert settings.MASTER_KEYS.current_version == 1


# --- while others work ---------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_verbs_and_uses_go_on_meanwhile(
    make_flow: Make, add_master: Callable[[], MasterKeys], actor: Actor, settings: Any
) -> None:
    flows = [make_flow("citcall").flow for _ in range(3)]
    first = {flow.pk: flow.keys.get(purpose="api_key") for flow in flows}
    add_master()
    done = threading.Event()

    def rotate() -> None:
        try:
            assert master_rotation.rotate(actor).is_complete
        finally:
            done.set()

    def use() -> None:
        while not done.is_set():
            with transaction.atomic():
                note_use(tuple(str(key.pk) for key in first.values()))

    def issue() -> None:
        for flow in flows:
            lifecycle.promote_key(actor, lifecycle.generate_key(actor, flow, "api_key").key)

    assert at_once(rotate, use, issue) == []
    assert left(2) == 0
    settings.MASTER_KEYS = only_newest()
    keyring.forget()
    for flow in flows:
        snapshot = keyring.by_flow_id(str(flow.pk))
        assert snapshot is not None
        assert len(snapshot.credentials().accepted("api_key")) == 2


@pytest.mark.django_db(transaction=True)
def test_a_row_somebody_holds_is_done_when_it_is_free(
    make_flow: Make, add_master: Callable[[], MasterKeys], actor: Actor
) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    add_master()
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Key.objects.select_for_update().get(pk=key.pk)
            locked.set()
            release.wait(20)

    def rotate() -> None:
        assert locked.wait(20)
        timer = threading.Timer(0.5, release.set)
        timer.start()
        assert master_rotation.rotate(actor).is_complete

    assert at_once(hold, rotate) == []
    assert release.is_set()
    assert left(2) == 0


ROTATE_AND_WAIT = """
import sys
from django.conf import settings
from tenants import master_rotation
from tenants.actors import Actor
from tenants.master_keys import MasterKeys

settings.MASTER_KEYS = MasterKeys.parse(sys.stdin.readline())
master_rotation._BATCH = 3
def show(label, done, total):
    if label == "tenants.key.material" and done:
        print("three done", flush=True)
        sys.stdin.readline()
master_rotation.rotate(Actor.command_line(), show)
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_rotation_goes_on(
    make_flow: Make,
    add_master: Callable[[], MasterKeys],
    actor: Actor,
    settings: Any,
) -> None:
    for _ in range(3):
        make_flow("citcall")
    masters = add_master()
    total = left(2)
    text = ",".join(
        f"{version}:{base64.b64encode(key).decode()}" for version, key in masters.by_version.items()
    )
    process = other_process.start(ROTATE_AND_WAIT)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(text + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "three done\n"
    finally:
        process.kill()
        process.wait()
    rest = left(2)
    assert 0 < rest < total
    assert Key.objects.count() - sealed_rows.column_of("tenants.key.material").under(1).count() == 3
    report = master_rotation.rotate(actor)
    assert (report.sealed_again, report.is_complete) == (rest, True)
    settings.MASTER_KEYS = only_newest()
    for key in Key.objects.all():
        at_rest.open_sealed(key.material, key.at_rest_context)
