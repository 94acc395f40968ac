"""``manage.py key`` under the policy: it asks and says so, decides, and breaks the glass aloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import approvals
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, Key
from tests.tenants.asking import TOKEN, ask_to_import, ask_to_revoke, everything, grow_old

pytestmark = pytest.mark.django_db
Shell = Callable[..., tuple[int, str, str]]
Report = Callable[..., dict[str, Any]]
FACTS = [
    "id",
    "verb",
    "what",
    "state",
    "client",
    "flow",
    "scheme",
    "address",
    "key",
    "fingerprints",
    "changes",
    "reason",
    "requested_by",
    "requested_at",
    "expires_at",
    "decided_by",
    "decided_at",
    "decision_note",
]


@pytest.fixture
def ask(shell: Shell) -> Report:
    """Run a command that must ask: status 3, one JSON object, and nothing done."""

    def ask(*arguments: str, given: bytes = b"") -> dict[str, Any]:
        keys = list(Key.objects.values().order_by("pk"))
        code, out, err = shell(*arguments, "--json", given=given)
        assert (code, err) == (3, "")
        assert out.count("\n") == 1
        assert list(Key.objects.values().order_by("pk")) == keys
        found: dict[str, Any] = json.loads(out)
        assert found["waits_for_second_person"] is True
        return found

    return ask


def refused(shell: Shell, *arguments: str) -> str:
    before = everything()
    code, out, err = shell(*arguments)
    assert (code, out) == (1, "")
    assert "Traceback" not in err
    assert everything() == before
    return err


def name(key: Key) -> str:
    return f"{key.flow.scheme}/{key.flow.address}/{key.purpose}/{key.version}"


def place(flow: Flow) -> str:
    return f"{flow.scheme}/{flow.address}"


# --- asking --------------------------------------------------------------------------------


def test_revoking_asks_and_says_so(guarded_key: Key, ask: Report, shell: Shell) -> None:
    found = ask("revoke", name(guarded_key), "--reason", "leaked")
    row = ApprovalRequest.objects.get()
    assert list(found) == ["waits_for_second_person", *FACTS]
    assert (found["id"], found["verb"], found["state"]) == (str(row.pk), "key.revoke", "pending")
    assert found["what"] == "Revoke API key version 1"
    assert found["fingerprints"] == [guarded_key.fingerprint]
    assert row.requested_by.startswith("shell:")
    code, out, _ = shell("revoke", name(guarded_key), "--reason", "leaked")
    assert code == 3
    assert "Nothing is changed yet. Somebody else decides" in out
    assert ApprovalRequest.objects.count() == 1


def test_importing_and_destroying_ask(
    guarded: Flow, guarded_key: Key, actor: Actor, ask: Report, shell: Shell
) -> None:
    assert "needs a reason" in refused_import(shell, guarded)
    found = ask("import", place(guarded), "api_key", "--reason", "theirs", given=TOKEN.encode())
    assert found["what"] == "Import API key"
    assert found["fingerprints"] == [ApprovalRequest.objects.get().details["fingerprint"]]
    assert TOKEN not in json.dumps(found)
    lifecycle.promote_key(actor, lifecycle.generate_key(actor, guarded, "api_key").key)
    lifecycle.retire_key(actor, guarded_key)
    found = ask("schedule-destruction", name(guarded_key), "--reason", "old")
    assert found["what"] == "Erase the material of API key version 1"


def refused_import(shell: Shell, flow: Flow) -> str:
    before = everything()
    code, out, err = shell("import", place(flow), "api_key", given=TOKEN.encode())
    assert (code, out) == (1, "")
    assert everything() == before
    return err


def test_a_hand_over_asks_and_shows_the_link_that_will_open(
    guarded: Flow, bert: Actor, ask: Report
) -> None:
    found = ask("handover", "create", place(guarded), "--hours", "24", "--reason", "go-live")
    token = found["url"].partition("#")[2]
    with pytest.raises(lifecycle.HandOverClosedError):
        lifecycle.open_handover(token, address="203.0.113.9")
    approvals.approve(bert, ApprovalRequest.objects.get())
    opened = lifecycle.open_handover(token, address="203.0.113.9")
    assert opened.bundle.credentials


# --- breaking the glass --------------------------------------------------------------------


def test_the_glass_is_broken_for_each_verb(guarded: Flow, guarded_key: Key, shell: Shell) -> None:
    why = ("--break-glass", "nobody else is awake")

    def report(*arguments: str, given: bytes = b"") -> dict[str, Any]:
        code, out, err = shell(*arguments, "--json", given=given)
        assert code == 0
        assert "was done without the second person that its client's policy wants" in err
        done: dict[str, Any] = json.loads(out)
        return done

    made = report("import", place(guarded), "api_key", *why, given=TOKEN.encode())
    assert (made["version"], made["state"]) == (2, "staged")
    revoked = report("revoke", name(guarded_key), "--reason", "leaked", *why)
    assert revoked["state"] == "revoked"
    waiting = report("schedule-destruction", name(guarded_key), "--reason", "old", *why)
    assert waiting["destroy_at"] is not None
    link = report("handover", "create", place(guarded), *why)
    assert lifecycle.open_handover(link["url"].partition("#")[2], address="203.0.113.9")
    relaxed = report("approvals", "relax", "acme", "--reason", "alone", *why)
    assert relaxed == {"client": "acme", "needs_second_person": False}
    broken = AuditEntry.objects.filter(verb="approval.break_glass").order_by("pk")
    assert [entry.after["verb"] for entry in broken] == [
        "key.import",
        "key.revoke",
        "key.schedule_destruction",
        "handover.create",
        "client.relax",
    ]
    assert {entry.reason for entry in broken} == {"nobody else is awake"}
    assert not ApprovalRequest.objects.exists()


# --- deciding ------------------------------------------------------------------------------


def test_what_waits_is_listed(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, report: Report, shell: Shell
) -> None:
    first = ask_to_revoke(anna, guarded_key)
    second = ask_to_import(anna, guarded)
    grow_old(second)
    listed = report("approvals", "list")["approvals"]
    assert [list(row) for row in listed] == [FACTS]
    assert (listed[0]["id"], listed[0]["requested_by"]) == (str(first.pk), "anna")
    approvals.refuse(bert, first)
    assert report("approvals", "list") == {"approvals": []}
    assert report("approvals", "list", "--client", "other") == {"approvals": []}
    refused_ones = report("approvals", "list", "--state", "refused")["approvals"]
    assert [row["id"] for row in refused_ones] == [str(first.pk)]
    late = report("approvals", "list", "--state", "pending", "--client", "acme")["approvals"]
    assert [row["state"] for row in late] == ["expired"]
    _, out, _ = shell("approvals", "list", "--state", "refused")
    assert str(first.pk) in out
    assert "Revoke API key version 1" in out


def test_a_shell_decides_on_what_somebody_asked_for(
    guarded_key: Key, anna: Actor, report: Report
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    found = report("approvals", "refuse", str(asked.pk), "--note", "it is in use")
    assert (found["state"], found["decision_note"]) == ("refused", "it is in use")
    again = ask_to_revoke(anna, guarded_key)
    found = report("approvals", "approve", str(again.pk))
    assert (found["state"], found["requested_by"]) == ("approved", "anna")
    assert found["decided_by"].startswith("shell:")
    assert Key.objects.get(pk=guarded_key.pk).state == "revoked"


def test_a_shell_does_not_decide_on_its_own_but_withdraws_it(
    guarded_key: Key, ask: Report, report: Report, shell: Shell
) -> None:
    asked = ask("revoke", name(guarded_key), "--reason", "leaked")["id"]
    assert "You asked for this yourself" in refused(shell, "approvals", "approve", asked)
    assert "You asked for this yourself" in refused(shell, "approvals", "refuse", asked)
    assert report("approvals", "withdraw", asked)["state"] == "withdrawn"
    assert Key.objects.get(pk=guarded_key.pk).state == "active"


def test_what_is_not_there_or_not_ones_own(guarded_key: Key, anna: Actor, shell: Shell) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    assert "There is no request x" in refused(shell, "approvals", "approve", "x")
    assert "There is no client x" in refused(shell, "approvals", "require", "x")
    assert "Only who asked can" in refused(shell, "approvals", "withdraw", str(asked.pk))


def test_the_policy_is_switched(
    client_row: Client, bert: Actor, report: Report, ask: Report, shell: Shell
) -> None:
    assert report("approvals", "require", "acme") == {
        "client": "acme",
        "needs_second_person": True,
    }
    found = ask("approvals", "relax", "acme", "--reason", "too slow")
    assert (found["verb"], found["flow"], found["client"]) == ("client.relax", None, "acme")
    approvals.approve(bert, ApprovalRequest.objects.get())
    code, out, _ = shell("approvals", "relax", "acme", "--reason", "again")
    assert (code, out) == (0, "acme: one person alone may change its keys.\n")
