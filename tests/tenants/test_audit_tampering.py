"""Who owns the tables can go round the triggers: ``manage.py verify_audit`` names the row.

Every column of every entry in turn, by SQL as such a person would write it; and many processes that
append at once, after which nothing is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from crypto_schemes.ciphers import mac
from tenants import append_only, audit_chain, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client
from tests.support import other_process

Make = Callable[..., IssuedFlow]
TABLE, HEAD = "tenants_auditentry", "tenants_audithead"

#: What each column is set to; another flow, key or client for those.
OTHER: dict[str, Any] = {
    "at": "2001-02-03 04:05:06+00:00",
    "actor": "somebody else",
    "actor_address": "192.0.2.99",
    "verb": "key.destroy",
    "before": '{"state": "other"}',
    "after": '{"state": "other"}',
    "reason": "other",
    "request_id": "other",
    "previous_digest": "0" * 64,
    "digest": "0" * 64,
}


@pytest.fixture
def trail(db: None, make_flow: Make, client_row: Client) -> list[AuditEntry]:
    """Eight entries or more, of people and the product, about a client, a flow and keys."""
    append_only.install(connection)
    zoe = Actor(name="Zoë", address="2001:db8::7", request_id="request-1")
    flow = make_flow("citcall").flow
    make_flow("isu")
    key = lifecycle.generate_key(zoe, flow, "api_key").key
    lifecycle.revoke_key(zoe, key, reason="leaked")
    lifecycle.update_client(zoe, client_row, {"notes": "other"})
    return list(AuditEntry.objects.order_by("pk"))


def sql(statement: str, *values: Any) -> None:
    """Run SQL with the triggers out of the way, as whoever owns the tables can."""
    with unguarded(), connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def unguarded() -> Iterator[None]:
    append_only.remove(connection)
    yield
    append_only.install(connection)


def told() -> list[tuple[str, int | None]]:
    """Return what ``manage.py verify_audit`` says is wrong; it fails exactly if anything is."""
    out = StringIO()
    try:
        call_command("verify_audit", "--json", stdout=out)
    except CommandError:
        faults = json.loads(out.getvalue())["faults"]
        assert faults
        for fault in faults:
            named = f"Entr(y|ies) {fault['entry']} "
            assert fault["entry"] is None or re.match(named, fault["what"])
        return [(fault["kind"], fault["entry"]) for fault in faults]
    assert json.loads(out.getvalue())["faults"] == []
    return []


def columns() -> list[str]:
    return [
        str(field.column) for field in AuditEntry._meta.concrete_fields if not field.primary_key
    ]


@pytest.mark.parametrize("column", columns())
def test_one_changed_column_of_any_one_entry(trail: list[AuditEntry], column: str) -> None:
    assert told() == []
    tampered = 0
    for entry in trail:
        was = AuditEntry.objects.values_list(column, flat=True).get(pk=entry.pk)
        stored, other = _stored(entry.pk, column), _other(trail, column, was)
        if other is was:
            continue
        sql(f"UPDATE {TABLE} SET {column} = %s WHERE id = %s", other, entry.pk)
        assert told() == [("edited", entry.pk)], column
        sql(f"UPDATE {TABLE} SET {column} = %s WHERE id = %s", stored, entry.pk)
        tampered += 1
    assert tampered >= len(trail) - 1
    assert told() == []


def _stored(number: int, column: str) -> Any:
    """Return what a column holds as SQL has it, to be put back."""
    as_text = f"{column}::text" if connection.vendor == "postgresql" else column
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {as_text} FROM {TABLE} WHERE id = %s", [number])
        return cursor.fetchone()[0]


def _other(trail: list[AuditEntry], column: str, was: Any) -> Any:
    if column not in OTHER:  # an id: that of another entry, or none
        ids = {getattr(entry, column) for entry in trail} - {was}
        chosen = min(ids, key=str) if ids else None
        if chosen is None:
            return None
        return str(chosen) if connection.vendor == "postgresql" else chosen.hex
    return OTHER[column]


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_deleted_entry(trail: list[AuditEntry], place: str) -> None:
    number = {"first": 1, "middle": len(trail) // 2, "last": len(trail)}[place]
    sql(f"DELETE FROM {TABLE} WHERE id = %s", number)
    assert told() == [("missing", number)]


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_one_slipped_in_entry(trail: list[AuditEntry], place: str) -> None:
    """Those after it are moved up to make room, and the head with them."""
    number = {"first": 1, "middle": len(trail) // 2, "last": len(trail) + 1}[place]
    with unguarded(), connection.cursor() as cursor:
        for old in range(len(trail), number - 1, -1):
            cursor.execute(f"UPDATE {TABLE} SET id = %s WHERE id = %s", [old + 1, old])
        cursor.execute(f"UPDATE {HEAD} SET length = length + 1")
    forged = AuditEntry(pk=number, actor="nobody", verb="key.revoke", reason="never was")
    forged.digest = audit_chain.digest_of(forged, b"not the secret")
    forged.save(force_insert=True)
    moved = [("moved", later) for later in range(number + 1, len(trail) + 2)]
    assert told() == [("edited", number), *moved]


def test_two_entries_that_changed_places(trail: list[AuditEntry]) -> None:
    with unguarded(), connection.cursor() as cursor:
        for old, new in ((3, 900), (6, 3), (900, 6)):
            cursor.execute(f"UPDATE {TABLE} SET id = %s WHERE id = %s", [new, old])
    assert told() == [("moved", 3), ("moved", 6)]


def test_two_entries_that_swapped_what_they_say(trail: list[AuditEntry]) -> None:
    """All but their digests: each then tells of the other's deed."""
    third, sixth = trail[2], trail[5]
    for number, other in ((3, sixth), (6, third)):
        sql(
            f"UPDATE {TABLE} SET verb = %s, actor = %s, reason = %s WHERE id = %s",
            *(other.verb, other.actor, f"{other.reason} ", number),
        )
    assert told() == [("edited", 3), ("edited", 6)]


def test_an_entry_and_all_digests_after_it_made_anew_without_the_secret(
    trail: list[AuditEntry],
) -> None:
    """What whoever knows the method, but not the master key, would do."""
    number, previous = 4, trail[2].digest
    with unguarded():
        for entry in AuditEntry.objects.filter(pk__gte=number).order_by("pk"):
            if entry.pk == number:
                entry.reason = "not what was said"
            entry.previous_digest = previous
            previous = entry.digest = audit_chain.digest_of(entry, b"a guessed secret")
            AuditEntry.objects.filter(pk=entry.pk).update(
                reason=entry.reason, previous_digest=entry.previous_digest, digest=entry.digest
            )
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {HEAD} SET digest = %s", [previous])
    assert told() == [("edited", later) for later in range(number, len(trail) + 1)]


@pytest.mark.parametrize("back", [1, 3])
def test_a_head_set_back(trail: list[AuditEntry], back: int) -> None:
    """The entries it no longer counts are named; one more would be written over the first."""
    last = trail[-1 - back]
    sql(f"UPDATE {HEAD} SET length = %s, digest = %s", last.pk, last.digest)
    assert told() == [("added", later) for later in range(last.pk + 1, len(trail) + 1)]


def test_a_head_with_another_digest(trail: list[AuditEntry]) -> None:
    sql(f"UPDATE {HEAD} SET digest = %s", mac.sha256(b"x", b"y").hex())
    assert told() == [("head", None)]


def test_a_head_that_counts_more(trail: list[AuditEntry]) -> None:
    sql(f"UPDATE {HEAD} SET length = length + 2")
    assert told() == [("missing", len(trail) + 1)]


# --- many processes ------------------------------------------------------------------------

_APPENDER = """
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Client
name = sys.stdin.readline().strip()
client = Client.objects.get(slug="acme")
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    lifecycle.update_client(Actor(name=name), client, {"notes": f"{name} {number}"})
print("done", flush=True)
"""


@pytest.mark.django_db(transaction=True)
def test_processes_that_append_at_once_leave_one_chain(client_row: Client) -> None:
    names = [f"process-{number}" for number in range(4)]
    before = AuditEntry.objects.count()
    processes = [other_process.start(_APPENDER) for _ in names]
    try:
        for process, name in zip(processes, names, strict=True):
            assert process.stdin is not None
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            rest, _ = process.communicate(timeout=90)
            assert (rest, process.returncode) == ("done\n", 0)
    finally:
        for process in processes:
            process.kill()
    # The trigger's guard is off where tests commit; nothing else may be wrong.
    assert {kind for kind, _ in told()} <= {"unguarded"}
    entries = list(AuditEntry.objects.order_by("pk")[before:])
    assert [entry.pk for entry in entries] == list(range(before + 1, before + 101))
    for name in names:
        said = [entry.after["notes"] for entry in entries if entry.actor == name]
        assert said == [f"{name} {number}" for number in range(25)]
    # They did take turns: had one waited for another to end, nothing was tried.
    assert len({entry.actor for entry in entries[:60]}) > 1
