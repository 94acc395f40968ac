"""Whatever is asked for and decided in whatever order: two people, once, in time, or not at all.

A model of the requests is walked beside the real thing, with three people who all may do
everything; after each step the requests, the keys and the audit trail must be what it says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tenants import at_rest, digests, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.at_rest import AtRestError
from tenants.lifecycle import LifecycleError, approvals
from tenants.models import ApprovalRequest, AuditEntry
from tests.support.examples import examples
from tests.tenants.asking import ask_to_import, ask_to_revoke
from tests.tenants.people import somebody

PEOPLE = st.integers(0, 2)
CHOICE = st.integers(0, 9)


@dataclass
class Asked:
    """What the model knows of one request."""

    row: ApprovalRequest
    by: int
    until: datetime
    version: int = 0
    token: str = ""
    state: str = "pending"
    decided_by: int = -1


class ApprovalLife(RuleBasedStateMachine):
    """Requests to revoke and to import versions of one purpose of one flow."""

    def __init__(self) -> None:
        super().__init__()
        digests.forget_cached()
        self.example = transaction.atomic()
        self.example.__enter__()
        self.real, self.later = timezone.now, timedelta(0)
        self.clock = mock.patch.object(timezone, "now", self.now)
        self.clock.start()
        self.people = [somebody(name, "Administrator") for name in ("anna", "bert", "carla")]
        root = Actor(name="model")
        client = lifecycle.create_client(root, slug="acme", needs_second_person=True)
        self.flow = lifecycle.create_flow(root, client, "citcall").flow
        self.states = {1: "active"}
        self.asked: list[Asked] = []
        self.done = {"key.revoke": 0, "key.import": 0}

    def teardown(self) -> None:
        self.clock.stop()
        transaction.set_rollback(True)
        self.example.__exit__(None, None, None)
        digests.forget_cached()

    def now(self) -> datetime:
        return self.real() + self.later

    def waits(self, asked: Asked) -> bool:
        return asked.state == "pending" and self.now() < asked.until

    def end_late(self, is_meant: Callable[[Asked], bool]) -> None:
        """Asking ends what waited too long for the same."""
        for asked in self.asked:
            if asked.state == "pending" and not self.waits(asked) and is_meant(asked):
                asked.state = "expired"

    # -- what people do ----------------------------------------------------------------------

    @precondition(lambda self: len(self.asked) < 10)
    @rule(who=PEOPLE)
    def ask_for_an_import(self, who: int) -> None:
        token = secrets.token_hex(16)
        row = ask_to_import(self.people[who], self.flow, token)
        self.end_late(lambda asked: bool(asked.token))
        self.asked.append(Asked(row, who, row.expires_at, token=token))

    @precondition(lambda self: len(self.asked) < 10)
    @rule(who=PEOPLE, choice=CHOICE)
    def ask_for_a_revocation(self, who: int, choice: int) -> None:
        version = sorted(self.states)[choice % len(self.states)]
        key = self.flow.keys.get(purpose="api_key", version=version)
        twin = next(
            (a for a in self.asked if not a.token and a.version == version and self.waits(a)),
            None,
        )
        count = ApprovalRequest.objects.count()
        if self.states[version] == "revoked":
            same = lifecycle.revoke_key(self.people[who], key, reason="leaked")
            assert same.state == "revoked"
        elif twin is None:
            row = ask_to_revoke(self.people[who], key)
            self.end_late(lambda asked: not asked.token and asked.version == version)
            self.asked.append(Asked(row, who, row.expires_at, version=version))
            count += 1
        elif twin.by == who:
            assert ask_to_revoke(self.people[who], key).pk == twin.row.pk
        else:
            with pytest.raises(LifecycleError, match="asked for this already"):
                ask_to_revoke(self.people[who], key)
        assert ApprovalRequest.objects.count() == count

    @precondition(lambda self: self.asked)
    @rule(who=PEOPLE, choice=CHOICE)
    def approve(self, who: int, choice: int) -> None:
        asked = self.asked[choice % len(self.asked)]
        approve = approvals.approve
        if asked.by == who or (asked.state, asked.decided_by) != ("approved", who):
            is_done_already = not asked.token and self.states[asked.version] == "revoked"
            if asked.by == who or not self.waits(asked) or is_done_already:
                with pytest.raises(LifecycleError):
                    approve(self.people[who], asked.row)
                self.lapse_if_late(asked, who)
                return
            self.carry_out(asked, who)
        approve(self.people[who], asked.row)

    def carry_out(self, asked: Asked, who: int) -> None:
        asked.state, asked.decided_by = "approved", who
        if not asked.token:
            self.states[asked.version] = "revoked"
            self.done["key.revoke"] += 1
        else:
            has_active = "active" in self.states.values()
            asked.version = max(self.states) + 1
            self.states[asked.version] = "staged" if has_active else "active"
            self.done["key.import"] += 1

    @precondition(lambda self: self.asked)
    @rule(who=PEOPLE, choice=CHOICE)
    def refuse(self, who: int, choice: int) -> None:
        asked = self.asked[choice % len(self.asked)]
        if asked.by != who and (asked.state, asked.decided_by) == ("refused", who):
            approvals.refuse(self.people[who], asked.row)
        elif asked.by == who or not self.waits(asked):
            with pytest.raises(LifecycleError):
                approvals.refuse(self.people[who], asked.row)
            self.lapse_if_late(asked, who)
        else:
            approvals.refuse(self.people[who], asked.row)
            asked.state, asked.decided_by = "refused", who

    @precondition(lambda self: self.asked)
    @rule(who=PEOPLE, choice=CHOICE)
    def withdraw(self, who: int, choice: int) -> None:
        asked = self.asked[choice % len(self.asked)]
        if asked.by != who:
            with pytest.raises(NotAllowedError):
                approvals.withdraw(self.people[who], asked.row)
        elif asked.state == "withdrawn":
            approvals.withdraw(self.people[who], asked.row)
        elif not self.waits(asked):
            with pytest.raises(LifecycleError):
                approvals.withdraw(self.people[who], asked.row)
            if asked.state == "pending":
                asked.state = "expired"
        else:
            approvals.withdraw(self.people[who], asked.row)
            asked.state, asked.decided_by = "withdrawn", who

    def lapse_if_late(self, asked: Asked, who: int) -> None:
        """A decision that came too late ends the request; one by who asked is no decision."""
        if asked.by != who and asked.state == "pending" and not self.waits(asked):
            asked.state = "expired"

    @rule(hours=st.sampled_from([1, 11, 25]))
    def wait(self, hours: int) -> None:
        self.later += timedelta(hours=hours)

    @rule()
    def sweep(self) -> None:
        late = [a for a in self.asked if a.state == "pending" and not self.waits(a)]
        assert approvals.expire_requests() == len(late)
        for asked in late:
            asked.state = "expired"

    # -- what must hold ----------------------------------------------------------------------

    @invariant()
    def requests_are_what_the_model_says(self) -> None:
        rows = {row.pk: row for row in ApprovalRequest.objects.all()}
        assert {pk: row.state for pk, row in rows.items()} == {
            asked.row.pk: asked.state for asked in self.asked
        }
        for row in rows.values():
            assert bool(row.arguments) is (row.state == "pending")
            if row.state == "approved":
                assert row.requested_by_account != row.decided_by_account
                assert row.decided_at is not None
                assert row.decided_at < row.expires_at

    @invariant()
    def keys_are_what_the_model_says(self) -> None:
        rows = dict(self.flow.keys.filter(purpose="api_key").values_list("version", "state"))
        assert rows == self.states

    @invariant()
    def each_was_done_once_by_two(self) -> None:
        for verb, count in self.done.items():
            entries = AuditEntry.objects.filter(verb=verb)
            assert len(entries) == count
            assert len({entry.after["approval"] for entry in entries}) == count
            for entry in entries:
                assert entry.actor != entry.after["approved_by"]

    @invariant()
    def what_was_decided_is_not_readable_any_more(self) -> None:
        for asked in self.asked:
            row = ApprovalRequest.objects.get(pk=asked.row.pk)
            if asked.state != "pending":
                with pytest.raises(AtRestError):
                    at_rest.open_sealed(row.arguments, row.at_rest_context)
            if asked.token:
                assert asked.token.encode() not in bytes(row.arguments)


@pytest.mark.django_db
def test_any_order_of_asking_and_deciding() -> None:
    run_state_machine_as_test(
        ApprovalLife,
        settings=settings(
            max_examples=examples(20),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
