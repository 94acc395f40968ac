"""Expiry, pending destruction and use on a flow's page, and the page that asks first."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants import key_use, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow, Key
from tests.tenants.admin_pages import flow_url, form_of, secret_url, verb_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall").flow


@pytest.fixture
def used(flow: Flow) -> Key:
    """The active API key, used three times."""
    key = flow.keys.get(purpose="api_key")
    for _ in range(3):
        key_use.note_use((str(key.pk),))
    return Key.objects.get(pk=key.pk)


def page_of(browser: Browser, flow: Flow) -> str:
    return html.unescape(browser.get(flow_url(flow)).content.decode())


def press(browser: Browser, key: Key, verb: str, **data: str) -> str:
    answer = browser.post(verb_url(key, verb), data, follow=True)
    assert answer.redirect_chain == [(secret_url(key), 302)]
    return html.unescape(answer.content.decode())


def in_days(days: int) -> str:
    return f"{timezone.now() + timedelta(days=days):%Y-%m-%d}"


# --- expiry --------------------------------------------------------------------------------


def test_a_version_is_generated_and_imported_with_an_expiry(
    administrator: Browser, flow: Flow
) -> None:
    administrator.post(
        reverse("admin:tenants_flow_generate", args=[flow.pk]),
        {"purpose": "api_key", "version": "2", "expires": in_days(90)},
    )
    administrator.post(
        reverse("admin:tenants_flow_import", args=[flow.pk]),
        {"purpose": "api_key", "text": "0123456789abcdef" * 2, "expires": in_days(60)},
    )
    expiries = flow.keys.filter(purpose="api_key").order_by("version")
    assert [f"{key.expires_at:%Y-%m-%d %H:%M}" for key in expiries if key.expires_at] == [
        f"{in_days(90)} 00:00",
        f"{in_days(60)} 00:00",
    ]
    assert f"Expires {in_days(90)}" in page_of(administrator, flow)


@pytest.mark.parametrize(
    ("expires", "says"), [("2020-01-01", "lies in the future"), ("soon", "That is no date")]
)
def test_a_bad_expiry_makes_nothing(
    administrator: Browser, flow: Flow, expires: str, says: str
) -> None:
    before = AuditEntry.objects.count()
    for name, data in (
        ("generate", {"version": "2"}),
        ("import", {"text": "0123456789abcdef" * 2}),
    ):
        url = reverse(f"admin:tenants_flow_{name}", args=[flow.pk])
        answer = administrator.post(
            url, {"purpose": "api_key", "expires": expires, **data}, follow=True
        )
        assert says in answer.content.decode()
    key = flow.keys.get(purpose="api_key")
    assert says in press(administrator, key, "set_expiry", expires=expires)
    assert (flow.keys.count(), AuditEntry.objects.count()) == (3, before)


def test_an_expiry_is_set_shown_and_taken_away(administrator: Browser, flow: Flow) -> None:
    key = flow.keys.get(purpose="api_key")
    page = press(administrator, key, "set_expiry", expires=in_days(200))
    assert f"API key version 1 expires on {in_days(200)}. It goes on opening after that." in page
    assert f"Expires {in_days(200)}" in page
    assert "Generate its successor" not in page
    assert form_of(page, "expires")  # the form of the first purpose
    page = press(administrator, key, "set_expiry", expires="")
    assert "API key version 1 has no expiry." in page
    assert Key.objects.get(pk=key.pk).expires_at is None


@pytest.mark.parametrize(
    ("days", "says"),
    [
        (30, "Version 1 expires in 30 days, on "),
        (1, "Version 1 expires in 1 day, on "),
        (0, "Version 1 is past its expiry of "),
    ],
)
def test_a_version_near_its_expiry_is_noted(
    administrator: Browser, flow: Flow, days: int, says: str
) -> None:
    key = flow.keys.get(purpose="api_key")
    until = timezone.now() + timedelta(days=days)
    Key.objects.filter(pk=key.pk).update(expires_at=until)
    page = page_of(administrator, flow)
    assert f"{says}{until:%Y-%m-%d}. It goes on opening after that." in page
    lifecycle.revoke_key(Actor(name="x"), key, reason="gone")
    assert says not in page_of(administrator, flow)


# --- pending destruction -------------------------------------------------------------------


def test_a_destruction_is_scheduled_shown_and_cancelled(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    key = lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="gone")
    page = press(administrator, key, "schedule_destruction", days="7", reason="not needed")
    waiting = Key.objects.get(pk=key.pk)
    assert waiting.destroy_at is not None
    when = f"{waiting.destroy_at:%Y-%m-%d %H:%M} UTC"
    assert f"The material of API key version 1 will be erased on {when}, unless" in page
    assert f"Material is erased on {when}" in page
    assert "Keep the material" in page
    page = press(administrator, key, "cancel_destruction")
    assert "The material of API key version 1 is kept." in page
    assert "Material is erased on" not in page
    assert Key.objects.get(pk=key.pk).destroy_at is None


@pytest.mark.parametrize(
    ("days", "reason", "says"),
    [
        ("6", "x", "7 to 30 days"),
        ("31", "x", "7 to 30 days"),
        ("", "x", "7 to 30 days"),
        ("7.5", "x", "7 to 30 days"),
        ("9" * 30, "x", "7 to 30 days"),
        ("7", " ", "needs a reason"),
    ],
)
def test_a_destruction_out_of_range_or_reason(
    administrator: Browser, flow: Flow, actor: Actor, days: str, reason: str, says: str
) -> None:
    key = lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="gone")
    before = AuditEntry.objects.count()
    assert says in press(administrator, key, "schedule_destruction", days=days, reason=reason)
    assert Key.objects.get(pk=key.pk).destroy_at is None
    assert AuditEntry.objects.count() == before


# --- the page that asks --------------------------------------------------------------------


def test_a_version_in_use_is_asked_for_with_its_figures(administrator: Browser, used: Key) -> None:
    before = AuditEntry.objects.count()
    answer = administrator.post(verb_url(used, "revoke"), {"reason": "leaked"})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    page = html.unescape(answer.content.decode())
    assert "Who still uses API key version 1 of" in page
    figures = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', page))
    assert used.last_used_at is not None
    assert figures["Last use"].startswith(f"{used.last_used_at:%Y-%m-%d %H:%M} UTC, 0")
    assert {name: text for name, text in figures.items() if name != "Last use"} == {
        "Uses within 7 days": "3",
        "Uses in all": "3",
        "Counted by day since": f"{used.created_at:%Y-%m-%d}",
    }
    assert Key.objects.get(pk=used.pk).state == "active"
    assert AuditEntry.objects.count() == before
    form = form_of(page, "confirmed_use")
    assert (form["reason"], form["confirmed_use"]) == ("leaked", "")
    assert "api_key v1" in page
    done = press(administrator, used, "revoke", **{**form, "confirmed_use": "api_key v1"})
    assert "Within a second it opens nothing anywhere." in done
    assert Key.objects.get(pk=used.pk).state == "revoked"


@pytest.mark.parametrize(
    ("typed", "reason", "says"),
    [("api_key v2", "leaked", "not what stands there"), ("api_key v1", " ", "Say why")],
)
def test_a_wrong_confirmation_is_asked_for_again(
    administrator: Browser, used: Key, typed: str, reason: str, says: str
) -> None:
    data = {"reason": reason, "confirmed_use": typed}
    answer = administrator.post(verb_url(used, "revoke"), data)
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 200
    assert says in page
    assert form_of(page, "confirmed_use")["confirmed_use"] == ""
    assert Key.objects.get(pk=used.pk).state == "active"


def test_an_emergency_takes_one_page_and_one_post(administrator: Browser, used: Key) -> None:
    page = page_of(administrator, used.flow)
    assert "In use: last " in page
    form = form_of(page, "confirmed_use")
    assert set(form) == {"csrfmiddlewaretoken", "reason", "confirmed_use"}
    said = {**form, "reason": "leaked", "confirmed_use": "api_key v1"}
    assert "Within a second" in press(administrator, used, "revoke", **said)


def test_a_version_out_of_use_is_not_asked_for(administrator: Browser, flow: Flow) -> None:
    assert 'name="confirmed_use"' not in page_of(administrator, flow)
    key = flow.keys.get(purpose="api_key")
    assert "is revoked" in press(administrator, key, "revoke", reason="leaked")


def test_retiring_one_in_use_asks(administrator: Browser, used: Key, actor: Actor) -> None:
    lifecycle.promote_key(actor, lifecycle.generate_key(actor, used.flow, "api_key").key)
    answer = administrator.post(verb_url(used, "retire"), {})
    page = html.unescape(answer.content.decode())
    assert "Who still uses API key version 1 of" in page
    form = {**form_of(page, "confirmed_use"), "reason": "moved", "confirmed_use": "api_key v1"}
    assert "API key version 1 is retired." in press(administrator, used, "retire", **form)


def test_promoting_without_an_overlap_asks_for_the_predecessor(
    administrator: Browser, used: Key, actor: Actor
) -> None:
    staged = lifecycle.generate_key(actor, used.flow, "api_key").key
    answer = administrator.post(verb_url(staged, "promote"), {"overlap_days": "0"})
    page = html.unescape(answer.content.decode())
    assert "Who still uses API key version 1 of" in page
    assert Key.objects.get(pk=staged.pk).state == "staged"
    form = form_of(page, "confirmed_use")
    assert form["overlap_days"] == "0"
    said = {**form, "reason": "leaked", "confirmed_use": "api_key v1"}
    assert "API key version 2 is active." in press(administrator, staged, "promote", **said)
    assert Key.objects.get(pk=used.pk).state == "retired"


def test_what_a_person_typed_is_shown_as_text(administrator: Browser, used: Key) -> None:
    data = {"reason": '"><script>alert(1)</script>'}
    page = administrator.post(verb_url(used, "revoke"), data).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


# --- the line of time ----------------------------------------------------------------------


def test_each_secret_has_its_line(administrator: Browser, flow: Flow, used: Key) -> None:
    page = page_of(administrator, flow)
    titles = re.findall(r'<title id="timeline-(\w+)-title">(.*?)</title>', page)
    assert titles == [
        ("api_key", "API key: its versions over time"),
        ("callback_signing", "Callback signing secret: its versions over time"),
        ("upstream_signing", "Upstream signing secret: its versions over time"),
    ]
    assert (
        'role="img" aria-labelledby="timeline-api_key-title timeline-api_key-description"' in page
    )
    now = timezone.now()
    assert f"Version 1: active since {now.day} {now:%b}. The table below says the same." in page
    assert f"Version 1, {now:%Y-%m-%d}: 3 uses" in page
    assert " style=" not in re.sub(r"(?s)^.*?<section id=\"keys\"", "", page)


def test_the_line_knows_when_each_state_began(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    """The columns keep the last end only; the audit trail knows the ones before."""
    key = lifecycle.generate_key(actor, flow, "api_key").key
    lifecycle.retire_key(actor, key)
    lifecycle.revoke_key(actor, key, reason="leaked")
    entries = AuditEntry.objects.filter(key=key).order_by("pk")
    now = timezone.now()
    for days, entry in zip((9, 5, 2), entries, strict=True):
        AuditEntry.objects.filter(pk=entry.pk).update(at=now - timedelta(days=days))
    page = page_of(administrator, flow)
    moments = [f"{now - timedelta(days=days):%Y-%m-%d %H:%M}" for days in (9, 5, 2)]
    assert f"Version 2: staged, {moments[0]} to {moments[1]} UTC" in page
    assert f"Version 2: retired, {moments[1]} to {moments[2]} UTC" in page
    assert f"Version 2: Revoked {moments[2]} UTC" in page


def test_the_page_takes_as_many_queries_for_many_versions(
    administrator: Browser, make_flow: Make, actor: Actor
) -> None:
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    flow = make_flow("citcall").flow
    lifecycle.generate_key(actor, flow, "api_key")
    administrator.get(flow_url(flow))
    with CaptureQueriesContext(connection) as few:
        administrator.get(flow_url(flow))
    for _ in range(10):
        key = lifecycle.generate_key(actor, flow, "api_key").key
        key_use.note_use((str(key.pk),))
    with CaptureQueriesContext(connection) as many:
        administrator.get(flow_url(flow))
    assert len(many) == len(few)
