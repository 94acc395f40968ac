"""``manage.py delivery``: the verbs of the admin's buttons, one JSON object each, or a refusal."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from callbacks import settle
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.management.commands.delivery import Command
from callbacks.models import Delivery, Replay
from callbacks.settle import Finished
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow
from tests.callbacks.outbox import change, put, set_up

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    url = "http://127.0.0.1:9/hook?k=s3cr3t"
    return make_flow("citcall", address="p1", callback_url=url).flow


@pytest.fixture
def dead(flow: Flow) -> Delivery:
    delivery = put(flow, {"otp": "913742"}, subject="trx-1")
    (held,) = claim_due(1)
    settle.record([Finished(held, Result(status=422, error="http_422", is_permanent=True))])
    return change(delivery)


def say(*words: object) -> str:
    out = io.StringIO()
    call_command("delivery", *map(str, words), stdout=out)
    return out.getvalue()


def ask(*words: object) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(say(*words, "--json"))
    return answer


def test_lists_narrow(flow: Flow, dead: Delivery) -> None:
    waiting = put(flow)

    def ids(*words: object) -> list[str]:
        return [row["id"] for row in ask(*words)["deliveries"]]

    assert ids("list") == [str(waiting.pk), str(dead.pk)]
    assert ids("list", "--limit", 1) == [str(waiting.pk)]
    assert ids("list", "--state", "failed") == ids("dead-letters") == [str(dead.pk)]
    assert ids("list", "--flow", "citcall/p1", "--channel", "callback") == ids("list")
    assert ids("list", "--client", "acme", "--since", "1h") == ids("list")
    assert ids("list", "--since", "2999-01-01") == ids("list", "--event", "x") == []
    assert str(dead.pk) in say("dead-letters")


def test_a_delivery_with_its_attempts_and_never_its_body(dead: Delivery) -> None:
    shown = ask("show", dead.pk)
    assert (shown["state"], shown["last_error"], shown["subject"]) == (
        "failed",
        "http_422",
        "trx-1",
    )
    assert [(row["number"], row["status"], row["error"]) for row in shown["tries"]] == [
        (1, 422, "http_422")
    ]
    text = say("show", dead.pk) + json.dumps(shown)
    assert "http_422" in text
    assert "913742" not in text
    assert "s3cr3t" not in text


def test_retry_by_id_and_by_filter(flow: Flow, dead: Delivery) -> None:
    assert ask("retry", dead.pk, "--reason", "mended") == {"deliveries": 1}
    assert change(dead).state == "pending"
    assert AuditEntry.objects.get(verb="delivery.retry").reason == "mended"
    (held,) = claim_due(1)
    settle.record([Finished(held, Result(error="gone", is_permanent=True))])
    assert ask("retry", "--flow", "citcall/p1", "--state", "failed") == {"deliveries": 1}
    assert change(dead).state == "pending"


def test_cancel(flow: Flow) -> None:
    delivery = put(flow)
    assert say("cancel", delivery.pk) == "1 cancelled.\n"
    assert change(delivery).state == "cancelled"
    assert say("cancel", delivery.pk) == "0 of 1 cancelled.\n"


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_everything_at_once_is_not_done_by_mistake(verb: str, dead: Delivery) -> None:
    for words in ([], [dead.pk, "--state", "failed"]):
        with pytest.raises(CommandError, match="Name deliveries"):
            say(verb, *words)
    assert change(dead).state == "failed"


def test_a_replay_to_its_end(dead: Delivery) -> None:
    done = ask("replay", "--since", "1h", "--until", "2999-01-01", "--state", "failed", "--wait")
    assert (done["state"], done["total"], done["seen"], done["queued"]) == ("done", 1, 1, 1)
    assert change(dead).replay == Replay.objects.get()
    assert [row["id"] for row in ask("replays")["replays"]] == [done["id"]]
    assert done["id"] in say("replays")


def test_a_replay_is_left_to_the_worker_and_can_be_cancelled(dead: Delivery) -> None:
    begun = ask("replay", "--since", "1h", "--until", "2999-01-01")
    assert (begun["state"], begun["seen"]) == ("running", 0)
    assert ask("cancel-replay", begun["id"])["state"] == "cancelled"
    assert change(dead).state == "failed"
    with pytest.raises(CommandError, match="cancelled already"):
        say("cancel-replay", begun["id"])


def test_an_endpoint(flow: Flow) -> None:
    set_up(flow)
    assert ask("pause", "citcall/p1", "--reason", "night")["state"] == "paused"
    assert ask("endpoints")["endpoints"][0]["state_reason"] == "night"
    with pytest.raises(CommandError, match="nothing is sent"):
        say("test", "citcall/p1")
    assert ask("resume", "citcall/p1")["state"] == "active"
    with pytest.raises(CommandError, match="breaker is closed"):
        say("enable", "citcall/p1")
    assert ask("test", "citcall/p1")["event"] == "endpoint.test"
    assert AuditEntry.objects.filter(actor__startswith="shell:").count() == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--flow", "citcall/none"], "no flow"),
        (["list", "--client", "none"], "no client"),
        (["list", "--channel", "callback"], "needs --flow"),
        (["show", "00000000-0000-4000-8000-000000000000"], "no such delivery"),
        (["show", "x"], "must be an id"),
        (["list", "--since", "yesterday"], "must be a time"),
        (["pause", "citcall/p1"], "ever sent"),
    ],
)
def test_what_cannot_be_is_a_sentence(words: list[str], said: str, make_flow: Make) -> None:
    make_flow("citcall", address="p1")
    with pytest.raises(CommandError, match=said):
        say(*words)


def test_the_commands_of_the_documentation_are_taken_as_they_stand() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "callbacks.md").read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    verbs = []
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        assert words[:3] == [".venv/bin/python", "manage.py", "delivery"], line
        said = [str(uuid4()) if word.rstrip("…") == "ID" else word for word in words[3:]]
        given = Command().create_parser("manage.py", "delivery").parse_args(said)
        verbs.append(given.verb)
        if given.verb == "replay":  # as one that reaches into the future is refused
            assert given.since < given.until < timezone.now()
    assert len(verbs) == 13
