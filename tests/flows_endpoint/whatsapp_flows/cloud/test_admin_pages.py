"""The admin of messages, alerts, keys and health: what is seen, pressed, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from flows_endpoint.whatsapp_flows import alerts
from flows_endpoint.whatsapp_flows.models import (
    AlertSource,
    FlowAlert,
    FlowHealth,
    FlowSession,
    PhoneKey,
    WhatsappMessage,
)
from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin.fresh import FRESH_SECONDS
from tenants.models import AuditEntry
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import NUMBER_ID, TOKEN
from tests.flows_endpoint.whatsapp_flows.cloud.steps import USER, run
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Browser]
LOOK = (
    "view_flow",
    "view_whatsappmessage",
    "view_flowsession",
    "view_flowalert",
    "view_flowhealth",
    "view_phonekey",
)


@pytest.fixture
def sign_in() -> SignIn:
    """Return a browser signed in as staff with some permissions, the password just given."""

    def sign(*codenames: str, root: bool = False) -> Browser:
        name = "root" if root else "-".join(["staff", *codenames])[:150]
        user = User.objects.create_user(name, is_staff=True, is_superuser=root)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Browser()
        browser.force_login(user)
        _just_confirmed(browser)
        return browser

    return sign


def _just_confirmed(browser: Browser, ago: int = 0) -> None:
    session = browser.session
    session["confirmed_at"] = int(timezone.now().timestamp()) - ago
    session.save()


def flow_page(phone: Phone) -> str:
    return reverse("admin:tenants_flow_change", args=[phone.flow.pk])


def urls(phone: Phone) -> dict[str, str]:
    flow, key = phone.flow.pk, phone.flow.keys.get(purpose="whatsapp_rsa").pk
    return {
        "send": reverse("admin:whatsapp_flows_whatsappmessage_send", args=[flow]),
        "upload": reverse("admin:whatsapp_flows_phonekey_upload", args=[flow, key]),
        "check": reverse("admin:whatsapp_flows_phonekey_check", args=[flow]),
    }


NEEDS = {
    "send": "send_whatsappmessage",
    "upload": "upload_phonekey",
    "check": "view_phonekey",
}


def rows() -> tuple[int, ...]:
    return tuple(
        model._default_manager.count()
        for model in (WhatsappMessage, FlowSession, PhoneKey, AuditEntry)
    )


@pytest.mark.parametrize("verb", NEEDS)
def test_nobody_and_the_wrong_person_change_nothing(
    sender: Phone, cloud: CloudApi, sign_in: SignIn, verb: str
) -> None:
    others = {*LOOK, *NEEDS.values(), "change_key", "change_flow"} - {NEEDS[verb]}
    wrong = sign_in(*others)
    before = rows()
    url = urls(sender)[verb]
    answer = Browser().post(url, {"to": USER})
    assert answer["Location"].startswith("/admin/login/")
    assert wrong.post(url, {"to": USER}).status_code == 403
    assert (rows(), cloud.seen) == (before, [])


@pytest.mark.parametrize("verb", NEEDS)
@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_a_post_does_it(
    sender: Phone, cloud: CloudApi, sign_in: SignIn, verb: str, method: str
) -> None:
    browser = sign_in(root=True)
    assert getattr(browser, method)(urls(sender)[verb]).status_code == 405
    assert cloud.seen == []


def test_the_form_is_sent_to_a_user(sender: Phone, cloud: CloudApi, sign_in: SignIn) -> None:
    browser = sign_in("send_whatsappmessage", *LOOK)
    answer = browser.post(urls(sender)["send"], {"to": "+1 555 000 1111"}, follow=True)
    assert "The message to …1111 is queued." in answer.content.decode()
    run()
    (taken,) = cloud.messages
    assert taken.to == USER
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.flow, entry.after["recipient"]) == (
        "whatsapp.send_flow",
        sender.flow,
        "…1111",
    )
    page = browser.get(flow_page(sender)).content.decode()
    assert "Accepted by the platform" in page
    message = reverse(
        "admin:whatsapp_flows_whatsappmessage_change", args=[WhatsappMessage.objects.get().pk]
    )
    shown = browser.get(message).content.decode()
    listed = browser.get(reverse("admin:whatsapp_flows_whatsappmessage_changelist"))
    for text in (page, shown, listed.content.decode(), str(entry.after)):
        for secret in (USER, USER[:-4], TOKEN, taken.wamid):
            assert secret not in text
    assert "…1111" in shown


@pytest.mark.parametrize("to", ["", "nobody", "<script>"])
def test_a_recipient_that_is_none_is_said(
    sender: Phone, cloud: CloudApi, sign_in: SignIn, to: str
) -> None:
    browser = sign_in(root=True)
    before = rows()
    answer = browser.post(urls(sender)["send"], {"to": to}, follow=True)
    assert "must be a phone number with its country code" in answer.content.decode()
    assert rows() == before


def test_a_failed_message_is_explained(sender: Phone, cloud: CloudApi, sign_in: SignIn) -> None:
    browser = sign_in(root=True)
    cloud.fail(131026)
    browser.post(urls(sender)["send"], {"to": USER})
    run()
    message = WhatsappMessage.objects.get()
    url = reverse("admin:whatsapp_flows_whatsappmessage_change", args=[message.pk])
    page = browser.get(url).content.decode()
    assert "131026" in page
    assert "no WhatsApp account" in page


# --- the key


def test_after_a_promotion_the_upload_is_offered(
    sender: Phone, cloud: CloudApi, actor: Actor, sign_in: SignIn
) -> None:
    browser = sign_in("upload_phonekey", *LOOK)
    page = browser.get(flow_page(sender)).content.decode()
    assert urls(sender)["upload"] in page
    assert "Not known yet" in page
    answer = browser.post(urls(sender)["upload"], follow=True)
    assert "is uploaded." in answer.content.decode()
    assert "The public key at Meta: The active version." in answer.content.decode()
    assert urls(sender)["upload"] not in answer.content.decode()
    new = lifecycle.generate_key(actor, sender.flow, "whatsapp_rsa")
    lifecycle.promote_key(actor, new.key)
    page = browser.get(flow_page(sender)).content.decode()
    assert "A version that ends soon: upload the active one" in page
    upload = reverse("admin:whatsapp_flows_phonekey_upload", args=[sender.flow.pk, new.key.pk])
    assert upload in page
    assert "Upload version 2 (active)" in page
    browser.post(upload)
    assert cloud.keys == {NUMBER_ID: new.secret}


def test_an_upload_asks_who_is_there(sender: Phone, cloud: CloudApi, sign_in: SignIn) -> None:
    browser = sign_in("upload_phonekey", *LOOK)
    _just_confirmed(browser, FRESH_SECONDS + 5)
    answer = browser.post(urls(sender)["upload"])
    assert answer["Location"].startswith("/admin/confirm/")
    assert cloud.seen == []


def test_what_the_platform_refuses_is_said(sender: Phone, cloud: CloudApi, sign_in: SignIn) -> None:
    browser = sign_in(root=True)
    cloud.fail(190)
    answer = browser.post(urls(sender)["upload"], follow=True)
    assert "Import a new one and promote it." in answer.content.decode()
    cloud.fail(131000)
    answer = browser.post(urls(sender)["check"], follow=True)
    assert "did not tell its key (cloud_131000)" in answer.content.decode()
    answer = browser.post(urls(sender)["check"], follow=True)
    assert "None was uploaded" in answer.content.decode()


def test_a_key_of_another_flow_is_not_there(
    sender: Phone, cloud: CloudApi, sign_in: SignIn
) -> None:
    other = sender.flow.keys.get(purpose="app_secret").pk
    missing = "00000000-0000-0000-0000-000000000000"
    browser = sign_in(root=True)
    for flow, key in ((sender.flow.pk, missing), (missing, other)):
        url = reverse("admin:whatsapp_flows_phonekey_upload", args=[flow, key])
        assert browser.post(url).status_code == 404
    url = reverse("admin:whatsapp_flows_phonekey_upload", args=[sender.flow.pk, other])
    assert "no encryption key of the flow" in browser.post(url, follow=True).content.decode()
    assert cloud.seen == []


# --- alerts and health, on their lists, the flow's page and the first page


@pytest.fixture
def ill(sender: Phone) -> Phone:
    """A flow with an alert, a foreign key at the platform, a slow endpoint and a failed message."""
    cache.clear()
    now = timezone.now()
    flow = sender.flow
    alerts.raise_alert(
        str(flow.pk), AlertSource.META, "ENDPOINT_LATENCY", at=now, message="<b>Slow</b>"
    )
    PhoneKey.objects.create(
        flow=flow,
        phone_number_id=NUMBER_ID,
        fingerprint="ab" * 32,
        signature_status="VALID",
        verdict="foreign",
        checked_at=now,
    )
    FlowHealth.objects.create(
        flow=flow,
        computed_at=now,
        requests=100,
        errors=7,
        p50=80.4,
        p90=600,
        recent=20,
        recent_errors=0,
        error_level=2,
        latency_level=1,
        worst_level=2,
    )
    for age in (1, 30):
        WhatsappMessage.objects.create(
            flow=flow,
            kind="summary",
            state="failed",
            recipient_tail="1111",
            body=b"x",
            created_at=now - timedelta(hours=age),
        )
    return sender


def test_the_flow_s_page_shows_all_of_it(ill: Phone, sign_in: SignIn) -> None:
    page = sign_in(*LOOK).get(flow_page(ill)).content.decode()
    assert "ENDPOINT_LATENCY: &lt;b&gt;Slow&lt;/b&gt;" in page
    assert "Not a key of this flow: nothing can be opened" in page
    assert "7 of 100" in page
    assert "80 ms, 600 ms" in page
    assert "a threshold is passed" in page
    assert "at half of the first threshold" in page
    assert "/send/" not in page
    assert "/upload/" not in page


def test_who_may_see_nothing_of_it_sees_nothing(ill: Phone, sign_in: SignIn) -> None:
    page = sign_in("view_flow").get(flow_page(ill)).content.decode()
    assert 'id="whatsapp"' not in page
    assert "ENDPOINT_LATENCY" not in page
    first = sign_in("view_key").get("/admin/")
    assert not [tile for tile in first.context["tiles"] if "WhatsApp" in tile.title]
    assert first.context["notices"] == []


def test_the_first_page_counts_and_links(ill: Phone, sign_in: SignIn) -> None:
    browser = sign_in(root=True)
    answer = browser.get("/admin/")
    tiles = {tile.title: tile for tile in answer.context["tiles"]}
    counts: dict[str, Any] = {}
    for title in (
        "WhatsApp alerts",
        "WhatsApp endpoints",
        "Public keys at Meta",
        "WhatsApp messages failed, 24 hours",
    ):
        tile = tiles[title]
        assert tile.is_alarm
        listed = browser.get(tile.url)
        assert listed.status_code == 200
        counts[title] = (tile.value, listed.context["cl"].result_count)
    assert set(counts.values()) == {("1", 1)}
    assert tiles["WhatsApp endpoints"].note == "near a threshold of Meta; 1 beyond one"
    (notice,) = answer.context["notices"]
    assert "ENDPOINT_LATENCY" in notice.text
    assert notice.url == flow_page(ill)
    assert "&lt;b&gt;Slow&lt;/b&gt;" in answer.content.decode()


def test_without_a_whatsapp_flow_the_first_page_says_nothing_of_it(
    db: None, sign_in: SignIn
) -> None:
    cache.clear()
    answer = sign_in(root=True).get("/admin/")
    assert not [tile for tile in answer.context["tiles"] if "WhatsApp" in tile.title]


def test_an_alert_is_set_aside(ill: Phone, sign_in: SignIn) -> None:
    url = reverse("admin:whatsapp_flows_flowalert_changelist")
    alert = FlowAlert.objects.get()
    chosen = {"action": "close", "_selected_action": str(alert.pk)}
    sign_in(*LOOK).post(url, chosen)
    assert FlowAlert.objects.filter(closed_at=None).exists()
    browser = sign_in("view_flowalert", "close_flowalert")
    browser.post(url, chosen)
    alert.refresh_from_db()
    assert alert.closed_at is not None
    assert alert.closed_by.startswith("staff-")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.after["event"]) == ("whatsapp.close_alert", "ENDPOINT_LATENCY")
    audited = AuditEntry.objects.count()
    browser.post(url, chosen)
    assert AuditEntry.objects.count() == audited


@pytest.mark.parametrize(
    "model", ["whatsappmessage", "flowsession", "flowalert", "flowhealth", "phonekey", "mediafile"]
)
def test_nothing_can_be_written_or_deleted_by_hand(ill: Phone, sign_in: SignIn, model: str) -> None:
    browser = sign_in(root=True)
    assert browser.get(f"/admin/whatsapp_flows/{model}/").status_code == 200
    assert browser.get(f"/admin/whatsapp_flows/{model}/add/").status_code == 403
    before = rows()
    browser.post(
        f"/admin/whatsapp_flows/{model}/",
        {"action": "delete_selected", "_selected_action": "1", "post": "yes"},
    )
    assert rows() == before
