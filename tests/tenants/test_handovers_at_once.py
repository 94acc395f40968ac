"""Many who open one link at once: exactly one gets the credentials."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import HandedOver, HandOverClosedError, IssuedFlow, LifecycleError
from tenants.models import AuditEntry, HandOver, Key
from tests.support import other_process
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db(transaction=True)
Make = Callable[..., IssuedFlow]

_OPENER = """
import json
from tenants import lifecycle
print("ready", flush=True)
token = sys.stdin.readline().strip()
try:
    handed = lifecycle.open_handover(token, address="203.0.113.9")
except lifecycle.HandOverClosedError as error:
    print(json.dumps([error.why]))
else:
    print(json.dumps(["handed", dict(handed.bundle.credentials)]))
"""


def test_of_many_threads_one_opens_it(make_flow: Make, actor: Actor) -> None:
    made = make_flow("citcall")
    token = lifecycle.create_handover(actor, made.flow).token
    handed: list[HandedOver] = []

    def work() -> None:
        handed.append(lifecycle.open_handover(token, address="203.0.113.9"))

    raised = at_once(*[work] * 8)
    assert [item.bundle.credentials for item in handed] == [made.credentials]
    assert [(type(error), getattr(error, "why", "")) for error in raised] == [
        (HandOverClosedError, "opened")
    ] * 7
    assert AuditEntry.objects.filter(verb="handover.open").count() == 1


def test_of_many_processes_one_opens_it(make_flow: Make, actor: Actor) -> None:
    made = make_flow("citcall")
    token = lifecycle.create_handover(actor, made.flow).token
    openers = [other_process.start(_OPENER) for _ in range(3)]
    try:
        for opener in openers:
            assert opener.stdout is not None
            assert opener.stdout.readline() == "ready\n"
        answers = []
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write(token + "\n")
            opener.stdin.flush()
        for opener in openers:
            out, _ = opener.communicate(timeout=60)
            answers.append(json.loads(out))
    finally:
        for opener in openers:
            opener.kill()
            opener.wait()
    assert sorted(answer[0] for answer in answers) == ["handed", "opened", "opened"]
    assert [answer[1] for answer in answers if answer[0] == "handed"] == [made.credentials]
    assert AuditEntry.objects.filter(verb="handover.open").count() == 1


def test_it_is_opened_or_withdrawn_and_never_both(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    for _ in range(5):
        issued = lifecycle.create_handover(actor, flow)

        def open_(token: str = issued.token) -> None:
            lifecycle.open_handover(token, address="203.0.113.9")

        def withdraw(row: HandOver = issued.handover) -> None:
            lifecycle.withdraw_handover(actor, row)

        raised = at_once(open_, withdraw)
        assert len(raised) == 1
        assert isinstance(raised[0], LifecycleError)
        row = HandOver.objects.get(pk=issued.handover.pk)
        assert (row.opened_at is None) != (row.withdrawn_at is None)


def test_it_is_opened_before_a_revocation_or_not_at_all(make_flow: Make, actor: Actor) -> None:
    for _ in range(5):
        flow = make_flow("citcall").flow
        token = lifecycle.create_handover(actor, flow).token
        key = flow.keys.get(purpose="api_key")

        def open_(token: str = token) -> None:
            lifecycle.open_handover(token, address="203.0.113.9")

        def revoke(key: Key = key) -> None:
            lifecycle.revoke_key(actor, key, reason="leaked")

        raised = at_once(open_, revoke)
        assert all(isinstance(error, HandOverClosedError) for error in raised)
        verbs = list(AuditEntry.objects.filter(flow=flow).values_list("verb", flat=True))
        if raised:
            assert "handover.open" not in verbs
        else:  # newest first
            assert verbs.index("key.revoke") < verbs.index("handover.open")
