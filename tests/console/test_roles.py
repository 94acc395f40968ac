"""Each role opens its pages and presses its buttons, and no others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from callbacks.models import Delivery
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow, HandOver, Key
from tests.callbacks.outbox import put
from tests.tenants.admin_pages import flow_url, form_of, new_flow_url, verb_url

# Who may is decided in Python; that these pages open on every database, test_every_address.py says.
pytestmark = [pytest.mark.django_db, pytest.mark.once]
Make = Callable[..., IssuedFlow]

EXPIRES = f"{timezone.now() + timedelta(days=90):%Y-%m-%d}"
LOOKING = {"Viewer", "Operator", "Key officer", "Approver", "Administrator"}
OPERATING = {"Operator", "Administrator"}
KEYS = {"Key officer", "Administrator"}
OVERSEEING = {"Key officer", "Approver", "Administrator"}
PEOPLE = {"Administrator"}

#: Every page, by the name of its address, and the roles it opens for.
PAGES: dict[str, set[str]] = {
    "index": LOOKING,
    "tenants_client_changelist": LOOKING,
    "tenants_client_add": OPERATING,
    "tenants_client_change": LOOKING,
    "tenants_client_history": LOOKING,
    "tenants_flow_changelist": LOOKING,
    "tenants_flow_add": KEYS,
    "tenants_flow_change": LOOKING,
    "tenants_flow_history": LOOKING,
    "tenants_key_changelist": LOOKING,
    "tenants_key_change": LOOKING,
    "tenants_key_public": LOOKING,
    "tenants_handover_changelist": LOOKING,
    "tenants_handover_change": LOOKING,
    "tenants_approvalrequest_changelist": LOOKING,
    "tenants_auditentry_changelist": OVERSEEING,
    "callbacks_delivery_changelist": LOOKING,
    "callbacks_delivery_change": LOOKING,
    "callbacks_endpoint_changelist": LOOKING,
    "callbacks_endpoint_change": LOOKING,
    "callbacks_replay_changelist": LOOKING,
    "callbacks_replay_add": OPERATING,
    "flows_endpoint_exchangerow_changelist": LOOKING,
    "whatsapp_flows_whatsappmessage_changelist": LOOKING,
    "whatsapp_flows_flowsession_changelist": LOOKING,
    "whatsapp_flows_flowalert_changelist": LOOKING,
    "whatsapp_flows_flowhealth_changelist": LOOKING,
    "whatsapp_flows_phonekey_changelist": LOOKING,
    "whatsapp_flows_webhookupdate_changelist": LOOKING,
    "whatsapp_flows_errorreport_changelist": LOOKING,
    "whatsapp_flows_mediafile_changelist": set(),
    "auth_user_changelist": PEOPLE,
    "auth_user_add": PEOPLE,
    "auth_group_changelist": PEOPLE,
    "auth_group_add": set(),
}


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("whatsapp_flows", callback_url="http://127.0.0.1:9/hook").flow


@pytest.fixture
def staged(flow: Flow, actor: Actor) -> Key:
    return lifecycle.generate_key(actor, flow, "whatsapp_rsa").key


@pytest.fixture
def handover(flow: Flow, actor: Actor) -> HandOver:
    return lifecycle.create_handover(actor, flow).handover


@pytest.fixture
def delivery(flow: Flow) -> Delivery:
    return put(flow)


def sign_in_as(role: str) -> Browser:
    user = User.objects.create_user(role.replace(" ", "."), is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    browser = Browser()
    browser.force_login(user)
    return browser


def test_the_roles_are_made_by_migration() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == LOOKING


@pytest.mark.parametrize("role", [*sorted(LOOKING), ""])
def test_pages(role: str, staged: Key, handover: HandOver, delivery: Delivery) -> None:
    browser = sign_in_as(role) if role else Browser()
    rows = {
        "tenants_client": staged.flow.client_id,
        "tenants_flow": staged.flow_id,
        "tenants_key": staged.pk,
        "tenants_handover": handover.pk,
        "callbacks_delivery": delivery.pk,
        "callbacks_endpoint": delivery.endpoint_id,
    }
    for name, roles in PAGES.items():
        model, _, page = name.rpartition("_")
        arguments = [rows[model]] if page in {"change", "history", "public"} else []
        answer = browser.get(reverse(f"admin:{name}", args=arguments))
        if role:
            assert (name, answer.status_code) == (name, 200 if role in roles else 403)
        else:
            assert answer["Location"].startswith("/admin/login/"), name


@pytest.mark.parametrize("role", [*sorted(LOOKING), ""])
def test_buttons(
    role: str, staged: Key, handover: HandOver, delivery: Delivery, actor: Actor
) -> None:
    flow = staged.flow
    browser = sign_in_as(role) if role else Browser()
    other = lifecycle.generate_key(actor, flow, "whatsapp_rsa").key
    over, waiting = (
        lifecycle.retire_key(actor, lifecycle.generate_key(actor, flow, "app_secret").key)
        for _ in range(2)
    )
    lifecycle.schedule_destruction(actor, waiting, days=7, reason="old")
    generate = reverse("admin:tenants_flow_generate", args=[flow.pk])
    take = reverse("admin:tenants_flow_import", args=[flow.pk])
    make = reverse("admin:tenants_handover_make", args=[flow.pk])
    withdraw = reverse("admin:tenants_handover_withdraw", args=[handover.pk])
    secret = str(flow.keys.get(purpose="app_secret", state="active").pk)
    client = reverse("admin:tenants_client_change", args=[flow.client_id])
    posts: list[tuple[str, dict[str, str], set[str], Callable[[], object]]] = [
        (verb_url(staged, "promote"), {"overlap_days": "7"}, KEYS, lambda: _state(staged)),
        (verb_url(other, "retire"), {}, KEYS, lambda: _state(other)),
        (verb_url(staged, "set_expiry"), {"expires": EXPIRES}, KEYS, lambda: _row(staged)),
        (verb_url(staged, "revoke"), {"reason": "leaked"}, KEYS, lambda: _state(staged)),
        (
            verb_url(over, "schedule_destruction"),
            {"days": "30", "reason": "old"},
            KEYS,
            lambda: _row(over),
        ),
        (verb_url(waiting, "cancel_destruction"), {}, KEYS, lambda: _row(waiting)),
        (generate, {"purpose": "whatsapp_rsa", "version": "4"}, KEYS, Key.objects.count),
        (take, {"purpose": "app_secret", "text": "7f3a" * 8}, KEYS, Key.objects.count),
        (make, {"key": secret}, KEYS, HandOver.objects.count),
        (withdraw, {}, KEYS, lambda: HandOver.objects.get(pk=handover.pk).withdrawn_at),
        (client, {"slug": "acme", "name": "Renamed"}, OPERATING, lambda: _name(flow)),
    ]
    for url, data, roles, look in posts:
        before = look()
        answer = browser.post(url, data)
        assert (look() != before) == (role in roles), (role, url)
        if not role:
            assert answer["Location"].startswith("/admin/login/"), url
        elif role not in roles:
            assert answer.status_code == 403, url
    page = browser.get(flow_url(flow)).content.decode()
    for verb in ("generate", "import", "revoke", "make", "set_expiry", "cancel_destruction"):
        assert (f"/{verb}/" in page) == (role in KEYS)


@pytest.mark.parametrize("role", sorted(LOOKING))
def test_retries_of_callbacks(role: str, delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state="failed", settled_at=timezone.now())
    data = {"action": "retry", "_selected_action": str(delivery.pk)}
    sign_in_as(role).post(reverse("admin:callbacks_delivery_changelist"), data)
    retried = Delivery.objects.get(pk=delivery.pk).state == "pending"
    assert retried == (role in OPERATING)


@pytest.mark.parametrize("role", sorted(LOOKING))
def test_settings_of_a_flow(role: str, flow: Flow) -> None:
    browser = sign_in_as(role)
    page = browser.get(flow_url(flow)).content.decode()
    if role in OPERATING:
        data = form_of(page, "allowed_networks")
        browser.post(flow_url(flow), {**data, "callback_url": "https://partner.example/"})
    else:
        data = {"callback_url": "https://partner.example/", "backend": "sandbox"}
        assert browser.post(flow_url(flow), data).status_code == 403
    changed = Flow.objects.get(pk=flow.pk).callback_url == "https://partner.example/"
    assert changed == (role in OPERATING)


@pytest.mark.parametrize("role", sorted(LOOKING))
def test_new_flows(role: str, flow: Flow) -> None:
    browser = sign_in_as(role)
    answer = browser.get(new_flow_url("citcall"))
    assert answer.status_code == (200 if role in KEYS else 403)
    if role in KEYS:
        data = form_of(answer.content.decode(), "new_id")
        browser.post(new_flow_url("citcall"), {**data, "client": str(flow.client_id)})
    else:
        assert browser.post(new_flow_url("citcall"), {}).status_code == 403
    assert (Flow.objects.count() == 2) == (role in KEYS)


def test_an_administrator_does_not_make_superusers() -> None:
    browser = sign_in_as("Administrator")
    root = User.objects.create_superuser("root", password="unguessable-1")
    me = User.objects.get(username="Administrator")
    url = reverse("admin:auth_user_change", args=[me.pk])
    data = form_of(browser.get(url).content.decode(), "username")
    granted = {**data, "is_superuser": "on", "user_permissions": "1", "last_name": "Doe"}
    assert browser.post(url, granted).status_code == 302
    me.refresh_from_db()
    assert (me.last_name, me.is_superuser, me.user_permissions.count()) == ("Doe", False, 0)
    for name in ("change", "delete"):
        of_root = reverse(f"admin:auth_user_{name}", args=[root.pk])
        assert browser.post(of_root, {"username": "mine", "post": "yes"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[root.pk])
    answer = browser.post(
        password, {"password1": "mine-123456789012", "password2": "mine-123456789012"}
    )
    assert answer.status_code == 403
    root.refresh_from_db()
    assert root.username == "root"
    assert root.check_password("unguessable-1")


def _row(key: Key) -> object:
    return Key.objects.values("expires_at", "destroy_at").get(pk=key.pk)


def _state(key: Key) -> str:
    return Key.objects.get(pk=key.pk).state


def _name(flow: Flow) -> str:
    return Flow.objects.get(pk=flow.pk).client.name
