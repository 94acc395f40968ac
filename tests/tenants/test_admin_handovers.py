"""Hand-over links on a flow's page: made, shown once, listed, withdrawn."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow, HandOver, Key
from tests.tenants.admin_pages import add_flow, flow_url, form_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]
SignIn = Callable[..., Browser]
LINK = re.compile(r'<pre class="sg-secret" id="handover-link">([^<]*)</pre>')


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", address="partner01").flow


def make_url(flow: Flow) -> str:
    return reverse("admin:tenants_handover_make", args=[flow.pk])


def page_of(browser: Browser, flow: Flow) -> str:
    return html.unescape(browser.get(flow_url(flow)).content.decode())


def checked(page: str) -> list[str]:
    return re.findall(r'name="key" value="([0-9a-f-]{36})" checked', page)


def token_in(page: str) -> str:
    found = LINK.search(page)
    assert found is not None
    address, _, token = found[1].partition("#")
    assert address == "http://127.0.0.1:8000/handover"
    return token


def test_the_panel_says_what_a_link_will_show(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    page = page_of(administrator, flow)
    signing = flow.keys.get(purpose="callback_signing")
    assert checked(page) == [str(staged.pk), str(signing.pk)]
    assert "API key version 2, staged" in page
    assert "Callback signing secret version 1, active" in page
    assert "Upstream signing secret version 1, active" not in page
    assert '<option value="72" selected>3 days</option>' in page


def test_the_link_is_shown_once_and_opens(administrator: Browser, flow: Flow) -> None:
    keys = checked(page_of(administrator, flow))
    answer = administrator.post(make_url(flow), {"key": keys, "hours": "24"})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"
    page = html.unescape(answer.content.decode())
    assert "API key version 1, active" in page
    assert "Callback signing secret version 1, active" in page
    left = HandOver.objects.get().expires_at - timezone.now()
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    token = token_in(page)
    assert token not in page_of(administrator, flow)
    handed = lifecycle.open_handover(token, address="203.0.113.7")
    assert list(handed.bundle.credentials) == ["userid", "api_key"]
    for secret in [*handed.bundle.credentials.values(), handed.bundle.extra[0].value]:
        assert secret == flow.identity["userid"] or secret not in page


def test_only_what_is_chosen_is_shown(administrator: Browser, flow: Flow) -> None:
    key = flow.keys.get(purpose="api_key")
    page = administrator.post(make_url(flow), {"key": str(key.pk)}).content.decode()
    assert "Callback signing secret" not in page
    assert lifecycle.open_handover(token_in(page), address="").bundle.extra == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "There is nothing to hand over."),
        ({"key": "x"}, "A chosen version is none of this flow."),
        ({"key": "00000000-0000-0000-0000-000000000001"}, "A chosen version is none of this flow."),
        ({"hours": "0"}, "1 hour to 14 days"),
        ({"hours": "337"}, "1 hour to 14 days"),
        ({"hours": "soon"}, "1 hour to 14 days"),
        ({"hours": "²"}, "1 hour to 14 days"),
        ({"hours": "9" * 5000}, "1 hour to 14 days"),
        ({"purpose": "upstream_signing"}, "is not for the partner and is never handed over."),
    ],
)
def test_what_makes_no_sense_makes_no_link(
    administrator: Browser, flow: Flow, data: dict[str, str], words: str
) -> None:
    if "hours" in data or "purpose" in data:
        purpose = data.get("purpose", "api_key")
        data = {**data, "key": str(flow.keys.get(purpose=purpose).pk)}
    audited = AuditEntry.objects.count()
    answer = administrator.post(make_url(flow), data, follow=True)
    assert answer.redirect_chain == [(f"{flow_url(flow)}#handovers", 302)]
    assert words in html.unescape(answer.content.decode())
    assert HandOver.objects.count() == 0
    assert AuditEntry.objects.count() == audited


def test_a_flow_or_link_that_is_none_is_not_found(administrator: Browser) -> None:
    nothing = "00000000-0000-0000-0000-000000000001"
    for name in ("make", "withdraw"):
        url = reverse(f"admin:tenants_handover_{name}", args=[nothing])
        assert administrator.post(url).status_code == 404


def test_the_page_of_a_new_flow_offers_a_link_to_what_is_for_the_partner(
    administrator: Browser, client_row: Client
) -> None:
    page = add_flow(administrator, "isu", client_row).content.decode()
    flow = Flow.objects.get()
    assert "Make a hand-over link instead of copying" in page
    assert f'action="{make_url(flow)}"' in page
    keys = re.findall(r'<input type="hidden" name="key" value="([0-9a-f-]{36})">', page)
    purposes = {Key.objects.get(pk=key).purpose for key in keys}
    assert purposes == {"pass_key", "client_secret", "isu_aes", "callback_signing"}
    link = administrator.post(make_url(flow), {"key": keys})
    assert token_in(link.content.decode())
    left = HandOver.objects.get().expires_at - timezone.now()
    assert timedelta(hours=71, minutes=59) < left <= timedelta(hours=72)


def test_so_does_the_page_of_a_staged_version(administrator: Browser, flow: Flow) -> None:
    generate = reverse("admin:tenants_flow_generate", args=[flow.pk])
    page = administrator.post(generate, {"purpose": "api_key", "version": "2"}).content.decode()
    staged = flow.keys.get(purpose="api_key", version=2)
    assert form_of(page, "key")["key"] == str(staged.pk)
    page = administrator.post(
        generate, {"purpose": "upstream_signing", "version": "2"}
    ).content.decode()
    assert "hand-over link" not in page


def test_who_may_make_no_link_is_offered_none(
    sign_in: SignIn, flow: Flow, client_row: Client
) -> None:
    browser = sign_in("add_key", "view_key", "view_flow", "view_handover")
    generate = reverse("admin:tenants_flow_generate", args=[flow.pk])
    page = browser.post(generate, {"purpose": "api_key", "version": "2"}).content.decode()
    assert "This page is shown once." in page
    assert "hand-over link" not in page
    assert "Make a hand-over link" not in page_of(browser, flow)


def test_the_list_says_where_each_link_stands(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    names = ("waiting", "opened", "withdrawn", "expired", "closed")
    issued = {name: lifecycle.create_handover(actor, flow) for name in names[:4]}
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    issued["closed"] = lifecycle.create_handover(actor, flow, keys=[staged.pk])
    lifecycle.revoke_key(actor, staged, reason="leaked")
    lifecycle.open_handover(issued["opened"].token, address="2001:db8::7")
    lifecycle.withdraw_handover(actor, issued["withdrawn"].handover)
    HandOver.objects.filter(pk=issued["expired"].handover.pk).update(expires_at=timezone.now())
    page = page_of(administrator, flow)
    panel = page[page.index('id="handovers"') :]
    rows = {}
    for row in panel.split("<tr>")[2:]:
        text = row.partition("</tr>")[0]
        word = next(word for word in names if re.search(rf"^\s*{word}$", text, re.MULTILINE))
        rows[word] = text
    assert set(rows) == set(names)
    assert "from 2001:db8::7" in rows["opened"]
    assert "API key version 2 has ended." in rows["closed"]
    assert "tester" in rows["waiting"]
    assert "API key version 1, Callback signing secret version 1" in rows["waiting"]
    offered = {name for name, row in rows.items() if "/withdraw/" in row}
    assert offered == {"waiting", "closed"}
    everywhere = html.unescape(
        administrator.get(reverse("admin:tenants_handover_changelist")).content.decode()
    )
    assert "closed API key version 2 has ended." in everywhere
    assert "from 2001:db8::7" in everywhere


def test_a_link_is_withdrawn_by_its_button(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    issued = lifecycle.create_handover(actor, flow)
    url = reverse("admin:tenants_handover_withdraw", args=[issued.handover.pk])
    answer = administrator.post(url, follow=True)
    assert answer.redirect_chain == [(f"{flow_url(flow)}#handovers", 302)]
    assert "The link is withdrawn." in answer.content.decode()
    with pytest.raises(lifecycle.HandOverClosedError):
        lifecycle.open_handover(issued.token, address="")


def test_one_opened_meanwhile_is_not_withdrawn(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    issued = lifecycle.create_handover(actor, flow)
    lifecycle.open_handover(issued.token, address="203.0.113.7")
    url = reverse("admin:tenants_handover_withdraw", args=[issued.handover.pk])
    page = administrator.post(url, follow=True).content.decode()
    assert "This link was opened at" in page
    assert HandOver.objects.get().withdrawn_at is None


@pytest.mark.parametrize("lookup", ["token_digest", "token_digest__startswith", "keys__material"])
def test_no_filter_spells_out_what_opens_a_link(
    administrator: Browser, flow: Flow, actor: Actor, lookup: str
) -> None:
    lifecycle.create_handover(actor, flow)
    url = reverse("admin:tenants_handover_changelist")
    assert administrator.get(url, {lookup: "0"}).status_code == 400


def test_many_links_take_as_many_queries_as_one(
    administrator: Browser, flow: Flow, actor: Actor
) -> None:
    counts = []
    for number in (1, 6):
        for _ in range(number):
            lifecycle.create_handover(actor, flow)
        for url in (flow_url(flow), reverse("admin:tenants_handover_changelist")):
            administrator.get(url)
            with CaptureQueriesContext(connection) as queries:
                administrator.get(url)
            counts.append(len(queries))
    assert counts[:2] == counts[2:]
