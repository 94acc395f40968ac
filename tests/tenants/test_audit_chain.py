"""The audit trail: chained as it is written, and every way of tampering found and named."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from tenants import append_only, audit_chain, lifecycle
from tenants.actors import Actor
from tenants.audit_verification import Fault, verify
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, AuditHead, Client, Flow, InternalSecret
from tests.support.at_once import at_once

Make = Callable[..., IssuedFlow]


@pytest.fixture(autouse=True)
def _guarded(request: pytest.FixtureRequest) -> None:
    """Have the triggers there, as they are in an installation, where the test may undo it."""
    marker = request.node.get_closest_marker("django_db")
    if not marker.kwargs.get("transaction"):
        request.getfixturevalue("db")
        append_only.install(connection)


@pytest.fixture
def trail(_guarded: None, make_flow: Make) -> list[AuditEntry]:
    """Some entries of every kind, by somebody with an address, from a request."""
    actor = Actor(name="Zoë", address="2001:db8::7", request_id="request-1")
    flow = make_flow("citcall").flow
    key = lifecycle.generate_key(actor, flow, "api_key").key
    lifecycle.promote_key(actor, key, overlap=timedelta(days=1))
    lifecycle.revoke_key(actor, flow.keys.get(version=1, purpose="api_key"), reason="leaked")
    lifecycle.update_flow(actor, flow, {"allowed_networks": ["203.0.113.0/24"]})
    return list(AuditEntry.objects.order_by("pk"))


def tamper(**changes: Any) -> Callable[[int], None]:
    """Return what writes ``changes`` to an entry as somebody who owns the tables could."""

    def write(number: int) -> None:
        append_only.remove(connection)
        assert AuditEntry.objects.filter(pk=number).update(**changes) == 1
        append_only.install(connection)

    return write


def delete(*numbers: int) -> None:
    append_only.remove(connection)
    AuditEntry.objects.filter(pk__in=numbers).delete()
    append_only.install(connection)


def found() -> list[tuple[str, int | None]]:
    return [(fault.kind, fault.entry) for fault in verify().faults]


# --- as it is written ----------------------------------------------------------------------


@pytest.mark.django_db
def test_what_was_written_is_whole(trail: list[AuditEntry]) -> None:
    assert [entry.pk for entry in trail] == list(range(1, len(trail) + 1))
    assert len({entry.digest for entry in trail}) == len(trail)
    assert [entry.previous_digest for entry in trail] == [
        "",
        *(entry.digest for entry in trail[:-1]),
    ]
    result = verify()
    assert result.faults == ()
    assert (result.length, result.digest) == (len(trail), trail[-1].digest)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 1.0, 1e22, 0.1, -0.0, 12345678901234567890, None, True]},
        {"ü": "\u00e9\U0001f511", "a": {"c": 1, "b": '\n\\"'}},
        {},
    ],
    ids=["numbers", "texts", "nothing"],
)
@pytest.mark.parametrize("address", [None, "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_it_reads_back_as_it_was_written(value: dict[str, Any], address: str | None) -> None:
    actor = Actor(name="a" * 300, address=address, request_id="r" * 300)
    with transaction.atomic():
        audit_chain.append(actor, "test", before=value, after=value, reason="é" * 300)
    assert verify().faults == ()
    entry = AuditEntry.objects.get()
    assert (len(entry.actor), len(entry.reason), len(entry.request_id)) == (150, 200, 64)


@pytest.mark.django_db
def test_what_is_undone_leaves_no_gap(trail: list[AuditEntry], actor: Actor) -> None:
    with pytest.raises(LifecycleError), transaction.atomic():
        audit_chain.append(actor, "test")
        raise LifecycleError
    with transaction.atomic():
        entry = audit_chain.append(actor, "test")
    assert entry.pk == len(trail) + 1
    assert verify().faults == ()


@pytest.mark.django_db(transaction=True)
def test_an_entry_needs_the_transaction_of_its_change(actor: Actor) -> None:
    with pytest.raises(transaction.TransactionManagementError):
        audit_chain.append(actor, "test")
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_chain(make_flow: Make, actor: Actor, client_row: Client) -> None:
    flows = [make_flow("citcall").flow for _ in range(3)]
    before = AuditEntry.objects.count()

    def change(flow: Flow) -> Callable[[], None]:
        def work() -> None:
            for number in range(6):
                lifecycle.update_flow(actor, flow, {"options": {"max_skew": 100 + number}})

        return work

    def rename() -> None:
        for number in range(6):
            lifecycle.update_client(actor, client_row, {"notes": f"note {number}"})

    def look() -> None:
        for _ in range(5):
            kinds = {fault.kind for fault in verify().faults}
            assert kinds <= {"unguarded"}

    assert at_once(rename, look, *(change(flow) for flow in flows)) == []
    result = verify()
    assert result.length == before + 24 == AuditEntry.objects.count()
    assert {fault.kind for fault in result.faults} <= {"unguarded"}


# --- tampering -----------------------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "at": timezone.now() + timedelta(days=1),
    "actor": "somebody else",
    "actor_address": "192.0.2.99",
    "verb": "key.destroy",
    "client_id": None,
    "before": {"state": "other"},
    "after": {"state": "other"},
    "reason": "other",
    "request_id": "other",
    "previous_digest": "0" * 64,
    "digest": "0" * 64,
}


@pytest.mark.django_db
@pytest.mark.parametrize("column", CHANGES)
def test_any_change_to_any_entry_is_found_and_named(trail: list[AuditEntry], column: str) -> None:
    for entry in trail:
        was = getattr(entry, column)
        if was == CHANGES[column]:
            continue
        tamper(**{column: CHANGES[column]})(entry.pk)
        (fault,) = verify().faults
        assert (fault.kind, fault.entry) == ("edited", entry.pk)
        assert f"Entry {entry.pk} (" in fault.what
        tamper(**{column: was})(entry.pk)
    assert found() == []


@pytest.mark.django_db
def test_every_column_is_covered(trail: list[AuditEntry]) -> None:
    columns = {field.attname for field in AuditEntry._meta.concrete_fields}
    assert columns == {"id", "flow_id", "key_id", *CHANGES}
    with_key = next(entry for entry in trail if entry.key_id)
    tamper(key_id=None)(with_key.pk)
    assert found() == [("edited", with_key.pk)]
    tamper(key_id=with_key.key_id, flow_id=None)(with_key.pk)
    assert found() == [("edited", with_key.pk)]


@pytest.mark.django_db
def test_a_missing_entry_is_named_wherever_it_was(trail: list[AuditEntry]) -> None:
    last = len(trail)
    rows = {entry.pk: entry for entry in trail}
    for gone, what in {
        (1,): "Entry 1 is missing.",
        (3, 4): "Entries 3 to 4 are missing.",
        (last,): f"Entry {last} is missing.",
        tuple(range(1, last + 1)): f"Entries 1 to {last} are missing.",
    }.items():
        delete(*gone)
        assert verify().faults == (Fault("missing", gone[0], what),)
        AuditEntry.objects.bulk_create([rows[number] for number in gone])
    assert found() == []


@pytest.mark.django_db
def test_entries_that_changed_places_are_named(trail: list[AuditEntry]) -> None:
    append_only.remove(connection)
    for old, new in ((2, 900), (5, 2), (900, 5)):
        AuditEntry.objects.filter(pk=old).update(id=new)
    append_only.install(connection)
    faults = verify().faults
    assert [(fault.kind, fault.entry) for fault in faults] == [("moved", 2), ("moved", 5)]
    assert "was written as number 5" in faults[0].what
    assert "was written as number 2" in faults[1].what


@pytest.mark.django_db
def test_a_gap_closed_by_renumbering_is_found(trail: list[AuditEntry]) -> None:
    last = len(trail)
    delete(3)
    append_only.remove(connection)
    for number in range(4, last + 1):
        AuditEntry.objects.filter(pk=number).update(id=number - 1)
    AuditHead.objects.update(length=last - 1)
    append_only.install(connection)
    assert found() == [("moved", number) for number in range(3, last)]


@pytest.mark.django_db
def test_an_entry_of_another_history_is_found(trail: list[AuditEntry], actor: Actor) -> None:
    last = len(trail)
    older = trail[-2]
    append_only.remove(connection)
    AuditEntry.objects.filter(pk=last).delete()
    AuditHead.objects.update(length=older.pk, digest=older.digest)
    with transaction.atomic():
        audit_chain.append(actor, "other.history")
        audit_chain.append(actor, "other.history")
    AuditEntry.objects.filter(pk=last).delete()
    trail[-1].save(force_insert=True)
    append_only.install(connection)
    assert found() == [("replaced", last + 1)]


@pytest.mark.django_db
def test_what_stands_beyond_the_head_is_found(trail: list[AuditEntry]) -> None:
    last = trail[-1]
    AuditEntry.objects.create(pk=last.pk + 5, actor="x", verb="y", digest="0" * 64)
    assert found() == [("added", last.pk + 5)]


@pytest.mark.django_db
def test_a_changed_head_is_found(trail: list[AuditEntry]) -> None:
    append_only.remove(connection)
    AuditHead.objects.update(digest="0" * 64)
    append_only.install(connection)
    assert found() == [("head", None)]
    append_only.remove(connection)
    AuditHead.objects.all().delete()
    append_only.install(connection)
    assert {kind for kind, _ in found()} == {"added"}


@pytest.mark.django_db
def test_without_its_secret_nothing_is_genuine(trail: list[AuditEntry]) -> None:
    from tenants import digests  # noqa: PLC0415

    InternalSecret.objects.filter(name=audit_chain.SECRET).delete()
    digests.forget_cached()
    assert found() == [("edited", entry.pk) for entry in trail]


# --- the database's own guard --------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        lambda: AuditEntry.objects.filter(pk=1).update(reason="other"),
        lambda: AuditEntry.objects.filter(pk=1).update(id=F("id") + 1000),
        lambda: AuditEntry.objects.filter(pk=1).delete(),
        lambda: AuditHead.objects.update(length=F("length") - 1),
        lambda: AuditHead.objects.update(digest="0" * 64),
        lambda: AuditHead.objects.all().delete(),
        lambda: AuditEntry.objects.create(actor="x", verb="y", pk=1000),
    ],
    ids=["update", "renumber", "delete", "rewind", "same length", "no head", "not chained"],
)
def test_the_database_refuses(trail: list[AuditEntry], change: Callable[[], object]) -> None:
    before = list(AuditEntry.objects.values().order_by("pk"))
    with pytest.raises(DatabaseError), transaction.atomic():
        change()
    assert list(AuditEntry.objects.values().order_by("pk")) == before
    assert found() == []


@pytest.mark.django_db
def test_the_database_refuses_to_empty_the_table(trail: list[AuditEntry]) -> None:
    connection.check_constraints()  # a table with checks still to come cannot be emptied anyway
    empty = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
    for table in ("tenants_auditentry", "tenants_audithead"):
        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"{empty} {table}")
    assert found() == []


@pytest.mark.django_db
def test_a_guard_that_is_gone_is_named(trail: list[AuditEntry]) -> None:
    assert append_only.missing(connection) == []
    append_only.remove(connection)
    names = append_only.missing(connection)
    assert len(names) == (5 if connection.vendor == "postgresql" else 4)
    assert found() == [("unguarded", None)] * len(names)


@pytest.mark.django_db
def test_entries_from_before_the_chain_are_numbered_and_chained(
    trail: list[AuditEntry],
) -> None:
    migration = importlib.import_module("tenants.migrations.0004_audit_chain_fill")
    append_only.remove(connection)
    AuditHead.objects.all().delete()
    AuditEntry.objects.filter(pk__in=(2, 4)).delete()
    AuditEntry.objects.update(digest="x", previous_digest="")
    kept = [entry.verb for entry in trail if entry.pk not in {2, 4}]
    migration.fill(apps, None)
    append_only.install(connection)
    assert found() == []
    entries = AuditEntry.objects.order_by("pk")
    assert [(entry.pk, entry.verb) for entry in entries] == list(enumerate(kept, start=1))


# --- the command ---------------------------------------------------------------------------


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_audit", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_says_that_all_is_well(trail: list[AuditEntry]) -> None:
    head = trail[-1]
    assert run() == f"{head.pk} entries, all as they were written: {head.digest}\n"
    assert json.loads(run("--json")) == {"length": head.pk, "digest": head.digest, "faults": []}


@pytest.mark.django_db
def test_the_command_names_what_is_wrong_and_fails(trail: list[AuditEntry]) -> None:
    tamper(reason="other")(4)
    out = StringIO()
    with pytest.raises(CommandError, match="not whole: 1 faults"):
        call_command("verify_audit", stdout=out)
    assert out.getvalue().startswith("edited: Entry 4 (")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--json", stdout=out)
    (fault,) = json.loads(out.getvalue())["faults"]
    assert (fault["kind"], fault["entry"]) == ("edited", 4)
