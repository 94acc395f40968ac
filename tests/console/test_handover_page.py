"""The page of a hand-over link: looking at it uses nothing up, and the button does, once."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.test import Client as Browser

from console.handover import WRONG_LINKS
from crypto_schemes import registry
from flows_endpoint.guards import attempts
from flows_endpoint.models import AttemptCount
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow, IssuedHandOver
from tenants.models import AuditEntry, Flow, HandOver, Key
from tests.console.conftest import PASSWORD
from tests.tenants.test_admin_secrets import every_page, secrets_of

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
PAGE = "/handover"
OPEN = "/handover/open"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def made(make_flow: Make) -> IssuedFlow:
    return make_flow("kairos")


@pytest.fixture
def link(made: IssuedFlow, actor: Actor) -> IssuedHandOver:
    return lifecycle.create_handover(actor, made.flow)


def send(token: str, browser: Browser | None = None, **more: Any) -> Any:
    """Press the button of the page, as a browser without cookies does."""
    browser = browser or Browser(enforce_csrf_checks=True)
    return browser.post(OPEN, f"token={token}", content_type=FORM, **more)


def json_of(page: str) -> Any:
    found = re.search(r'<pre id="json">(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    return json.loads(unescape(found[1]))


def is_open(link: IssuedHandOver) -> bool:
    row = HandOver.objects.get(pk=link.handover.pk)
    audited = AuditEntry.objects.filter(verb="handover.open").count()
    assert (row.opened_at is None) == (audited == 0)
    return row.opened_at is not None


def test_the_button_shows_all_of_it(made: IssuedFlow, link: IssuedHandOver) -> None:
    answer = send(link.token)
    assert answer.status_code == 200
    page = answer.content.decode()
    text = unescape(page)
    for value in [*made.credentials.values(), made.callback_secret]:
        assert value in text
    url = f"http://127.0.0.1:8000{made.flow.main_path}"
    assert json_of(page) == {
        "scheme": "kairos",
        "url": url,
        "documentation": "http://127.0.0.1:8000/docs/kairos",
        "credentials": {**made.credentials, "callback_signing": made.callback_secret},
    }
    assert made.upstream_secret not in text
    assert "This is shown once." in text
    assert 'href="/docs/kairos"' in page
    assert is_open(link)
    assert HandOver.objects.get().opened_from == "127.0.0.1"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor_address, entry.request_id) == ("127.0.0.1", answer["X-Request-Id"])


def test_it_tells_what_was_agreed_and_nothing_else_of_the_options(
    make_flow: Make, actor: Actor
) -> None:
    options: dict[str, Any] = {"iv": "fixed:0123456789abcdef", "payout_path": "/pay/out"}
    options["epoch_window"] = 300
    isu = lifecycle.create_handover(actor, make_flow("isu", options=options).flow)
    page = unescape(send(isu.token).content.decode())
    agreed = {"iv": "fixed:0123456789abcdef", "payout_path": "/pay/out"}
    assert json_of(page)["agreed"] == agreed
    for name, value in agreed.items():
        assert f"<dt><code>{name}</code></dt>\n<dd><code>{value}</code></dd>" in page
    assert "epoch_window" not in page

    options = {"balance": 12345, "test_phone_numbers": ["910000000016"]}
    kairos = lifecycle.create_handover(actor, make_flow("kairos", options=options).flow)
    page = send(kairos.token).content.decode()
    assert "agreed" not in json_of(unescape(page))
    assert "Agreed for you" not in page
    assert "12345" not in page


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_what_may_be_agreed_is_an_option(scheme: str) -> None:
    contract = registry.get(scheme)
    assert set(contract.agreed) <= set(contract.options_type.model_fields)


def test_a_whole_link_may_be_pasted(link: IssuedHandOver) -> None:
    assert send(f" {link.url.replace('#', '%23')} ").status_code == 200
    assert is_open(link)


def test_the_address_noted_is_the_callers_not_the_proxys(
    link: IssuedHandOver, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    send(link.token, headers={"X-Forwarded-For": "198.51.100.7"})
    assert HandOver.objects.get().opened_from == "198.51.100.7"


@pytest.mark.parametrize("path", [PAGE, OPEN])
@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete", "trace"])
def test_nothing_but_the_button_burns_it(link: IssuedHandOver, path: str, method: str) -> None:
    for address in (path, f"{path}?token={link.token}"):
        answer = getattr(Browser(), method)(address)
        expected = (200 if path == PAGE else 302) if method in {"get", "head"} else 405
        assert answer.status_code == expected
        assert answer.get("Location") in {None, PAGE}
    assert not is_open(link)


def test_a_post_to_the_page_itself_burns_nothing(link: IssuedHandOver) -> None:
    assert Browser().post(PAGE, {"token": link.token}).status_code == 405
    assert not is_open(link)


@pytest.mark.parametrize(
    "purpose",
    [{"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}],
)
def test_what_fetches_links_on_its_own_burns_nothing(
    link: IssuedHandOver, purpose: dict[str, str]
) -> None:
    plain = Browser().get(PAGE)
    fetched = Browser().get(PAGE, headers=purpose)
    assert (fetched.status_code, fetched.content) == (200, plain.content)
    assert not is_open(link)


def test_the_page_says_the_same_to_everybody_and_nothing_is_kept(link: IssuedHandOver) -> None:
    page = Browser().get(PAGE)
    opened = send(link.token)
    refused = send(link.token)
    assert link.token not in page.content.decode()
    for answer in (page, opened, refused):
        assert answer["Cache-Control"] == "no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow, noarchive"
        assert answer["X-Frame-Options"] == "DENY"
        assert "script-src 'self';" in answer["Content-Security-Policy"]
        assert answer.cookies.output() == ""
        assert "Cookie" not in answer.get("Vary", "")
        text = answer.content.decode()
        assert not re.findall(r"<script>|<style|\son\w+=|\sstyle=", text)
        assert not re.findall(r'(?:src|href|action)="(?!/|data:,")', text)


def test_every_link_that_does_not_open_gets_the_same_page(
    made: IssuedFlow, link: IssuedHandOver, actor: Actor
) -> None:
    second = lifecycle.create_handover(actor, made.flow)
    third = lifecycle.create_handover(actor, made.flow)
    lifecycle.withdraw_handover(actor, second.handover)
    send(link.token)
    lifecycle.revoke_key(actor, made.flow.keys.get(purpose="security_id"), reason="leaked")
    audited = AuditEntry.objects.count()
    answers = [send(token) for token in (link.token, second.token, third.token, "A" * 43, "", "é")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    text = unescape(answers[0].content.decode())
    assert "it was opened before, has expired, was withdrawn, or is not complete" in text
    assert "somebody else may have" in text
    assert AuditEntry.objects.count() == audited


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_of_another_site_burns_nothing(link: IssuedHandOver, site: str) -> None:
    assert send(link.token, headers={"Sec-Fetch-Site": site}).status_code == 404
    assert not is_open(link)
    assert send(link.token, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200


def test_anything_but_a_small_form_burns_nothing(link: IssuedHandOver) -> None:
    browser = Browser()
    assert browser.post(OPEN, {"token": link.token}).status_code == 404  # multipart
    body = json.dumps({"token": link.token})
    assert browser.post(OPEN, body, content_type="application/json").status_code == 404
    assert send(link.token + "&more=" + "x" * 4096).status_code == 404
    assert not is_open(link)


def test_who_keeps_trying_is_held_off_and_the_link_stays_whole(link: IssuedHandOver) -> None:
    guesser: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.66"}
    for _ in range(WRONG_LINKS):
        assert send("A" * 43, **guesser).status_code == 404
    held_off = send(link.token, **guesser)
    assert held_off.status_code == 429
    assert "Wait ten minutes" in held_off.content.decode()
    assert not is_open(link)
    assert AttemptCount.objects.get().count == WRONG_LINKS
    assert send(link.token, REMOTE_ADDR="203.0.113.67").status_code == 200


def test_what_cannot_be_read_says_so_and_keeps_the_link(
    made: IssuedFlow, link: IssuedHandOver
) -> None:
    key = made.flow.keys.get(purpose="security_id")
    whole = bytes(key.material)
    Key.objects.filter(pk=key.pk).update(material=whole[:-1] + bytes([whole[-1] ^ 1]))
    answer = send(link.token)
    assert answer.status_code == 503
    assert "The link is not used up" in answer.content.decode()
    assert not is_open(link)
    Key.objects.filter(pk=key.pk).update(material=whole)
    assert send(link.token).status_code == 200


@pytest.mark.parametrize("token", ["of the link", "A" * 43])
def test_a_database_that_refuses_says_so_on_the_page(
    link: IssuedHandOver, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("connection to 10.0.0.1 refused")

    with monkeypatch.context() as patch:
        if token == "of the link":
            token = link.token
            patch.setattr(CursorWrapper, "execute", fail)
        else:  # a wrong link is counted, which may fail too
            patch.setattr(attempts, "count_failure", fail)
        answer = send(token)
    assert answer.status_code == 503
    assert answer["Content-Type"].startswith("text/html")
    assert "The link cannot be opened right now." in answer.content.decode()
    assert "10.0.0.1" not in answer.content.decode()
    assert not is_open(link)
    assert send(link.token).status_code == 200


# On PostgreSQL a whole copy of the product is searched (tests/product).
@pytest.mark.once
@pytest.mark.parametrize("scheme", ["kairos", "citcall", "isu", "whatsapp_flows", "flynn"])
def test_token_and_secrets_are_left_nowhere(
    make_flow: Make, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    caplog.set_level(logging.DEBUG)
    root = User.objects.create_superuser("root", password=PASSWORD)
    browser = Browser()
    browser.force_login(root)
    flow = make_flow(scheme).flow
    tokens = _use(browser, flow)
    needles = [*tokens, *secrets_of(flow)]
    assert len(needles) > 4
    places = {page: browser.get(page) for page in [*every_page(flow), *_pages_of_links(flow)]}
    for name, answer in places.items():
        assert answer.status_code == 200, name
        for needle in needles:
            assert needle not in answer.content.decode() + str(answer.headers), name
    kept = [repr(dict(browser.session.items())), browser.cookies.output(), caplog.text]
    kept += [str(record.__dict__) for record in caplog.records]
    for model in apps.get_models():
        hidden = {"lookup_digest", "material"}  # what secrets_of counts as forms of a secret
        fields = [field.attname for field in model._meta.fields if field.attname not in hidden]
        kept.append(repr(list(model._default_manager.values_list(*fields))))
    assert "handover.open" in "".join(kept)
    for needle in needles:
        assert not any(needle in text for text in kept)


def _use(browser: Browser, flow: Flow) -> list[str]:
    """Make links by the button, open one, spoil one, try one twice; return their tokens."""
    session = browser.session
    session["confirmed_at"] = int(time.time())
    session.save()
    tokens = []
    for _ in range(3):
        keys = [str(key.pk) for key in lifecycle.keys_to_hand_over(flow)]
        answer = browser.post(f"/admin/tenants/handover/make/{flow.pk}/", {"key": keys})
        assert "no-store" in answer["Cache-Control"]
        found = re.search(r"/handover#([\w-]{43})<", answer.content.decode())
        assert found is not None
        tokens.append(found[1])
        for secret in secrets_of(flow):
            assert secret not in answer.content.decode()
    assert send(tokens[0]).status_code == 200
    assert send(tokens[0]).status_code == 404
    assert send(tokens[1][:-1]).status_code == 404
    row = HandOver.objects.get(opened_at__isnull=True, pk=HandOver.objects.latest("created_at").pk)
    browser.post(f"/admin/tenants/handover/{row.pk}/withdraw/")
    assert send(tokens[2]).status_code == 404
    return tokens


def _pages_of_links(flow: Flow) -> list[str]:
    rows = HandOver.objects.filter(flow=flow)
    assert rows.count() == 3
    pages = [f"/admin/tenants/handover/{row.pk}/change/" for row in rows]
    pages += [f"/admin/tenants/handover/{row.pk}/history/" for row in rows]
    return [*pages, "/admin/tenants/handover/", PAGE]


def test_the_script_and_the_style_are_ours() -> None:
    page = Browser().get(PAGE).content.decode()
    assert re.findall(r'<script src="([^"]+)"', page) == ["/static/console/handover.js"]
    assert re.findall(r'<link rel="stylesheet" href="([^"]+)"', page) == [
        "/static/console/partner.css"
    ]
