"""``manage.py key handover``: links made, listed and withdrawn from the command line."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow, HandOver, Key

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
Run = Callable[..., str]
Report = Callable[..., dict[str, Any]]
FACTS = [
    "id",
    "client",
    "flow",
    "scheme",
    "address",
    "keys",
    "state",
    "created_by",
    "created_at",
    "expires_at",
    "opened_at",
    "opened_from",
    "withdrawn_at",
]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="p1").flow


def token_of(url: str) -> str:
    address, _, token = url.partition("#")
    assert address == "http://127.0.0.1:8000/handover"
    return token


def test_a_link_to_all_of_it(report: Report, flow: Flow, make_flow: Make) -> None:
    made = report("handover", "create", "citcall/p1")
    assert list(made) == [*FACTS, "url"]
    row = HandOver.objects.get()
    assert (made["id"], made["scheme"], made["address"]) == (str(row.pk), "citcall", "p1")
    assert made["keys"] == [
        {"purpose": "api_key", "version": 1},
        {"purpose": "callback_signing", "version": 1},
    ]
    assert made["state"] == "waiting"
    assert made["expires_at"] == row.expires_at.isoformat()
    assert row.expires_at - row.created_at > timedelta(hours=71, minutes=59)
    entry = AuditEntry.objects.latest("pk")
    assert entry.verb == "handover.create"
    assert entry.actor.startswith("shell:")
    handed = lifecycle.open_handover(token_of(made["url"]), address="")
    assert list(handed.bundle.credentials) == ["userid", "api_key"]


def test_a_link_to_some_of_it_for_some_hours(report: Report, flow: Flow, actor: Actor) -> None:
    lifecycle.generate_key(actor, flow, "api_key")
    made = report("handover", "create", str(flow.pk), "--purpose", "api_key", "--hours", "5")
    assert made["keys"] == [{"purpose": "api_key", "version": 2}]
    left = HandOver.objects.get().expires_at - timezone.now()
    assert timedelta(hours=4, minutes=59) < left <= timedelta(hours=5)


def test_the_list_says_where_each_stands_and_opens_none(
    report: Report, run: Run, flow: Flow, make_flow: Make, actor: Actor
) -> None:
    issued = [lifecycle.create_handover(actor, flow) for _ in range(3)]
    lifecycle.open_handover(issued[0].token, address="203.0.113.7")
    lifecycle.withdraw_handover(actor, issued[1].handover)
    other = make_flow("kairos").flow
    lifecycle.create_handover(actor, other)
    listed = report("handover", "list", "--flow", "citcall/p1")["handovers"]
    assert [list(link) for link in listed] == [FACTS] * 3
    assert [(link["id"], link["state"]) for link in listed] == [
        (str(issued[2].handover.pk), "waiting"),
        (str(issued[1].handover.pk), "withdrawn"),
        (str(issued[0].handover.pk), "opened"),
    ]
    assert listed[2]["opened_from"] == "203.0.113.7"
    assert len(report("handover", "list")["handovers"]) == 4
    text = run("handover", "list") + json.dumps(listed)
    assert str(issued[2].handover.pk) in text
    for one in issued:
        assert one.token not in text
        assert one.handover.token_digest not in text


def test_a_link_is_withdrawn_by_its_id(report: Report, flow: Flow, actor: Actor) -> None:
    issued = lifecycle.create_handover(actor, flow)
    done = report("handover", "withdraw", str(issued.handover.pk))
    assert list(done) == FACTS
    assert (done["state"], done["withdrawn_at"] is None) == ("withdrawn", False)
    with pytest.raises(lifecycle.HandOverClosedError):
        lifecycle.open_handover(issued.token, address="")


def test_for_people(run: Run, flow: Flow) -> None:
    text = run("handover", "create", "citcall/p1")
    assert "citcall/p1: a link that shows\n  API key version 1, active\n" in text
    assert "It opens once, until 20" in text
    token = token_of(text.rstrip("\n").rpartition("\n")[2])
    assert lifecycle.open_handover(token, address="").flow == flow
    link = HandOver.objects.get()
    assert "opened" in run("handover", "list")
    HandOver.objects.update(opened_at=None)
    assert run("handover", "withdraw", str(link.pk)) == f"{link.pk}: withdrawn.\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "citcall/nobody"), "There is no flow citcall/nobody"),
        (("create", "citcall/p1", "--hours", "0"), "1 hour to 14 days"),
        (("create", "citcall/p1", "--hours", "337"), "1 hour to 14 days"),
        (("create", "citcall/p1", "--hours", "9" * 30), "1 hour to 14 days"),
        (("create", "citcall/p1", "--hours", "x"), "invalid int value"),
        (
            ("create", "citcall/p1", "--purpose", "upstream_signing"),
            "For upstream_signing there is nothing to hand over to a partner. There is api_key, "
            "callback_signing.",
        ),
        (("create", "citcall/p1", "--purpose", "aes"), "For aes there is nothing"),
        (("list", "--flow", "citcall/nobody"), "There is no flow"),
        (("withdraw", str(uuid.UUID(int=1))), "There is no link"),
        (("withdraw", "x"), "See key handover list"),
        ((), "create|list|withdraw"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_and_not_done(
    shell: Callable[..., tuple[int, str, str]], flow: Flow, arguments: tuple[str, ...], says: str
) -> None:
    before = (HandOver.objects.count(), Key.objects.count(), AuditEntry.objects.count())
    for more in ((), ("--json",)) if arguments else ((),):
        code, out, err = shell("handover", *arguments, *more)
        assert (code in {1, 2}, out) == (True, "")
        assert says in err
        assert "Traceback" not in err
    assert (HandOver.objects.count(), Key.objects.count(), AuditEntry.objects.count()) == before


def test_what_was_opened_is_not_withdrawn(
    shell: Callable[..., tuple[int, str, str]], flow: Flow, actor: Actor
) -> None:
    issued = lifecycle.create_handover(actor, flow)
    lifecycle.open_handover(issued.token, address="")
    code, out, err = shell("handover", "withdraw", str(issued.handover.pk))
    assert (code, out) == (1, "")
    assert "was opened at" in err
