"""Where two people are needed, one alone does not send a flow's data elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import LifecycleError, SecondPersonNeededError, approvals
from tenants.models import ApprovalRequest, AuditEntry, Flow
from tests.tenants.admin_pages import edit_flow, flow_url
from tests.tenants.approval_pages import as_person, page, press, read
from tests.tenants.asking import nothing_happens
from tests.tenants.people import somebody

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
THEIRS = {"backend": "upstream", "upstream_url": "https://evil.example/steal"}
SET = {
    "allowed_networks": [],
    "backend": "sandbox",
    "backend_class": "",
    "callback_url": "",
    "upstream_url": "",
}


@pytest.fixture
def otto(db: None) -> Actor:
    return somebody("otto", "Operator")


def settings_of(flow: Flow) -> dict[str, Any]:
    found: dict[str, Any] = Flow.objects.values(*SET, "is_enabled", "options").get(pk=flow.pk)
    return found


def ask(actor: Actor, flow: Flow, changes: dict[str, Any]) -> ApprovalRequest:
    asked = approvals.do_or_ask(
        actor,
        lambda one: lifecycle.update_flow(one, flow, changes, reason="moved"),
        reason="moved",
    )
    assert isinstance(asked, ApprovalRequest)
    return asked


@pytest.mark.parametrize(
    "changes",
    [
        THEIRS,
        {"backend": "python", "backend_class": "tests.tenants.own_backend.Echo"},
        {"upstream_url": "https://evil.example/"},
        {"callback_url": "https://evil.example/"},
        {"allowed_networks": ["203.0.113.0/24"]},
        {"callback_url": "https://evil.example/", "is_enabled": False},
    ],
)
def test_one_alone_changes_none_of_it(guarded: Flow, otto: Actor, changes: dict[str, Any]) -> None:
    before = settings_of(guarded)
    nothing_happens(
        SecondPersonNeededError,
        "needs a second person",
        lambda: lifecycle.update_flow(otto, guarded, changes),
    )
    assert settings_of(guarded) == before


def test_the_rest_one_changes_alone(guarded: Flow, otto: Actor) -> None:
    changes = {"is_enabled": False, "options": {"max_skew": 77}, "callback_url": ""}
    lifecycle.update_flow(otto, guarded, changes)
    assert settings_of(guarded) == {**SET, "is_enabled": False, "options": {"max_skew": 77}}


def test_what_is_wrong_is_refused_before_anybody_is_asked(guarded: Flow, otto: Actor) -> None:
    with pytest.raises(Exception, match="needs an upstream URL"):
        ask(otto, guarded, {"backend": "upstream"})
    assert not ApprovalRequest.objects.exists()


def test_two_change_it_and_the_trail_has_both(guarded: Flow, otto: Actor, bert: Actor) -> None:
    asked = ask(otto, guarded, {**THEIRS, "is_enabled": False})
    was, becomes = {**SET, "is_enabled": True}, {**SET, **THEIRS, "is_enabled": False}
    assert asked.details == {"was": was, "becomes": becomes, "reason": "moved"}
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.flow, entry.reason) == ("approval.request", guarded, "moved")
    assert (entry.after["was"], entry.after["becomes"]) == (was, becomes)
    approvals.approve(bert, asked)
    assert settings_of(guarded) == {**becomes, "options": guarded.options}
    done, decided = AuditEntry.objects.order_by("-pk")[:2][::-1]
    assert (done.verb, done.actor, done.reason) == ("flow.update", "otto", "moved")
    assert done.before == {"backend": "sandbox", "upstream_url": "", "is_enabled": True}
    assert done.after["upstream_url"] == THEIRS["upstream_url"]
    assert done.after["approved_by"] == "bert"
    assert (decided.verb, decided.actor) == ("approval.approve", "bert")


def test_what_was_shown_is_what_is_done(
    guarded: Flow, otto: Actor, bert: Actor, actor: Actor
) -> None:
    """Somebody puts another URL behind the switch that waits."""
    Flow.objects.filter(pk=guarded.pk).update(upstream_url="https://ours.example/")
    switch = ask(otto, guarded, {"backend": "upstream"})
    assert switch.details["becomes"]["upstream_url"] == "https://ours.example/"
    Flow.objects.filter(pk=guarded.pk).update(upstream_url="https://evil.example/")
    nothing_happens(
        LifecycleError, "is not what would be done", lambda: approvals.approve(bert, switch)
    )
    assert Flow.objects.get(pk=guarded.pk).backend == "sandbox"


def test_asking_again_changes_nothing(guarded: Flow, otto: Actor) -> None:
    assert ask(otto, guarded, THEIRS).pk == ask(otto, guarded, THEIRS).pk
    assert ApprovalRequest.objects.count() == 1


def test_who_lost_the_right_meanwhile_changes_nothing(
    guarded: Flow, otto: Actor, bert: Actor, django_user_model: Any
) -> None:
    asked = ask(otto, guarded, THEIRS)
    django_user_model.objects.get(username="otto").groups.clear()
    nothing_happens(
        LifecycleError, "may not do it any more", lambda: approvals.approve(bert, asked)
    )


# --- in the admin --------------------------------------------------------------------------


def test_the_form_asks_and_the_page_says_old_and_new(
    guarded: Flow, otto: Actor, bert: Actor
) -> None:
    browser = as_person("otto")
    assert "Two people" in read(browser, flow_url(guarded))
    callback = "https://evil.example/cb"
    answer = edit_flow(browser, guarded, **THEIRS, callback_url=callback, option_max_skew="77")
    assert answer.context["adminform"].form.errors == {
        "reason": ["Say why: another person decides by it."]
    }
    said = {**THEIRS, "callback_url": callback, "option_max_skew": "77", "reason": "moved"}
    assert edit_flow(browser, guarded, **said).status_code == 302
    text = read(browser, flow_url(guarded))
    title = f"Change where the data of citcall {guarded.address} goes"
    assert f"Asked for: {title}. Nothing is changed yet" in text
    assert settings_of(guarded) == {**SET, "is_enabled": True, "options": guarded.options}
    assert "was changed successfully" not in text
    asked = ApprovalRequest.objects.get()
    assert page(asked) in text

    shown = " ".join(read(as_person("bert"), page(asked)).split())
    for label, was, becomes in (
        (
            "Who does the business",
            "Sandbox: behaves like the vendor's service",
            "Upstream: POST plain JSON to your own service",
        ),
        ("Upstream URL", "none", THEIRS["upstream_url"]),
        ("Callback URL", "none", callback),
        ("Time window (seconds)", "480", "77"),
    ):
        assert (
            f'<th scope="row">{label}</th><td><code class="sg-code">{was}</code> → '
            f'<strong><code class="sg-code">{becomes}</code></strong></td>'
        ) in shown
    assert '<code class="sg-code">any address</code> (stays)' in shown
    assert "moved" in shown
    press(as_person("bert"), page(asked, "approve"))
    assert settings_of(guarded)["callback_url"] == callback
    assert settings_of(guarded)["options"]["max_skew"] == 77


def test_a_switch_is_at_once_and_takes_no_reason(guarded: Flow, otto: Actor) -> None:
    browser = as_person("otto")
    assert edit_flow(browser, guarded, is_enabled=None).status_code == 302
    assert not Flow.objects.get(pk=guarded.pk).is_enabled
    assert not ApprovalRequest.objects.exists()
    lifecycle.update_client(otto, guarded.client, {"name": "Renamed"})
    assert AuditEntry.objects.filter(verb="flow.update").exists()


def test_the_command_line_shows_what_would_change(
    guarded: Flow, otto: Actor, run: Any, report: Any
) -> None:
    ask(otto, guarded, {"callback_url": "https://evil.example/cb"})
    (found,) = report("approvals", "list")["approvals"]
    assert found["changes"][0] == "Callback URL: none → https://evil.example/cb"
    assert "Callback URL: none → https://evil.example/cb" in run("approvals", "list")
