"""Clients and flows are edited in the admin; what is fixed stays, what is wrong changes nothing."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow, KeyringEpoch
from tests.tenants.admin_pages import edit_flow, flow_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


def test_a_client_is_created(administrator: Browser) -> None:
    url = reverse("admin:tenants_client_add")
    data = {"slug": "shop", "name": "The Shop", "contact_email": "a@b.example", "is_enabled": "on"}
    assert administrator.post(url, data).status_code == 302
    client = Client.objects.get(slug="shop")
    assert (client.name, client.contact_email, client.is_enabled) == (
        "The Shop",
        "a@b.example",
        True,
    )
    entry = AuditEntry.objects.get(client__isnull=False)
    assert (entry.verb, entry.client, entry.actor) == ("client.create", client, "root")


def test_after_a_client_comes_its_first_flow(sign_in: Callable[..., Browser]) -> None:
    add = reverse("admin:tenants_client_add")
    browser = sign_in("add_client", "view_client", "add_flow")
    answer = browser.post(add, {"slug": "shop", "name": "The Shop"}, follow=True)
    client = Client.objects.get(slug="shop")
    page = reverse("admin:tenants_client_change", args=[client.pk])
    assert answer.redirect_chain == [(page, 302)]
    next_step = f"{reverse('admin:tenants_flow_add')}?client={client.pk}"
    assert f'href="{next_step}"' in answer.content.decode()
    chosen = browser.get(next_step + "&scheme=citcall").content.decode()
    assert f'<option value="{client.pk}" selected>' in chosen
    other = sign_in("add_client", "view_client")
    answer = other.post(add, {"slug": "other", "name": "Other"}, follow=True)
    assert "Add a flow for this client" not in answer.content.decode()


def test_who_may_only_add_clients_is_not_led_where_they_may_not_go(
    sign_in: Callable[..., Browser],
) -> None:
    browser = sign_in("add_client")
    answer = browser.post(reverse("admin:tenants_client_add"), {"slug": "shop", "name": "Shop"})
    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:index"))


@pytest.mark.parametrize("slug", ["", "acme", "a b", "ä" * 3, "x" * 65])
def test_a_bad_or_used_slug_creates_no_client(
    administrator: Browser, client_row: Client, slug: str
) -> None:
    url = reverse("admin:tenants_client_add")
    answer = administrator.post(url, {"slug": slug, "name": "Other", "is_enabled": "on"})
    assert answer.status_code == 200
    assert "slug" in answer.context["adminform"].form.errors
    assert Client.objects.count() == 1


def test_a_client_switched_off_takes_its_flows_along(
    administrator: Browser, make_flow: Make, client_row: Client
) -> None:
    flow = make_flow("citcall", address="partner01").flow
    assert keyring.by_wire_id("citcall", "partner01") is not None
    url = reverse("admin:tenants_client_change", args=[client_row.pk])
    assert administrator.post(url, {"slug": "acme", "name": "acme"}).status_code == 302
    assert keyring.by_wire_id("citcall", "partner01") is None
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.before, entry.after) == (
        "client.update",
        {"is_enabled": True},
        {"is_enabled": False},
    )
    assert Flow.objects.get(pk=flow.pk).is_enabled


def test_only_what_was_changed_is_written(administrator: Browser, make_flow: Make) -> None:
    flow = make_flow("citcall", options={"max_skew": 100}, allowed_networks=["10.0.0.0/8"]).flow
    answer = edit_flow(
        administrator,
        flow,
        option_max_skew="120",
        option_reply_trxid=None,
        allowed_networks="10.0.0.0/8\r\n2001:db8::/32\r\n",
    )
    assert answer.status_code == 302
    changed = Flow.objects.get(pk=flow.pk)
    assert changed.options == {"max_skew": 120, "reply_trxid": False}
    assert changed.allowed_networks == ["10.0.0.0/8", "2001:db8::/32"]
    entry = AuditEntry.objects.latest("pk")
    assert entry.verb == "flow.update"
    assert set(entry.after) == {"options", "allowed_networks"}


def test_the_form_sent_as_it_stands_changes_nothing(
    administrator: Browser, make_flow: Make
) -> None:
    for scheme, options in (
        ("kairos", {"test_phone_numbers": ["919812345678"], "valid_until": "2031-01-01"}),
        ("isu", {"iv": "fixed:00112233445566778899aabbccddeeff", "key_encoding": "hex"}),
        ("citcall", {"number_pool": ["0215080XXXX", "0215081XXXX"]}),
        ("whatsapp_flows", {"summary_template": "Thank you {name}."}),
        ("flynn", {"rsa_bits": 4096}),
    ):
        flow = make_flow(scheme, options=options).flow
        before = (Flow.objects.filter(pk=flow.pk).values().get(), AuditEntry.objects.count())
        epoch = KeyringEpoch.objects.get().value
        assert edit_flow(administrator, flow).status_code == 302
        after = (Flow.objects.filter(pk=flow.pk).values().get(), AuditEntry.objects.count())
        assert after == before
        assert KeyringEpoch.objects.get().value == epoch


def test_contract_client_and_address_cannot_be_changed(
    administrator: Browser, make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("citcall", address="partner01").flow
    other = lifecycle.create_client(actor, slug="other")
    edit_flow(
        administrator,
        flow,
        client=str(other.pk),
        scheme="kairos",
        address="partner02",
        wire_id="partner02",
        identity="{}",
    )
    changed = Flow.objects.get(pk=flow.pk)
    assert (changed.client.slug, changed.scheme, changed.address, changed.wire_id) == (
        "acme",
        "citcall",
        "partner01",
        "partner01",
    )


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"option_max_skew": "0"}, "option_max_skew"),
        ({"backend": "upstream"}, "upstream_url"),
        ({"backend": "python", "backend_class": "no.such.Class"}, "backend_class"),
        ({"callback_url": "javascript:alert(1)"}, "callback_url"),
        ({"allowed_networks": "everybody"}, "allowed_networks"),
    ],
)
def test_a_wrong_setting_changes_nothing(
    administrator: Browser, make_flow: Make, fields: dict[str, str], where: str
) -> None:
    flow = make_flow("citcall").flow
    before = (Flow.objects.values().get(), AuditEntry.objects.count())
    answer = edit_flow(administrator, flow, **fields)
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [where]
    assert (Flow.objects.values().get(), AuditEntry.objects.count()) == before


def test_a_flow_whose_backend_class_is_gone_can_be_switched_off(
    administrator: Browser, make_flow: Make
) -> None:
    flow = make_flow("citcall").flow
    Flow.objects.update(backend="python", backend_class="gone.since.Yesterday")
    assert edit_flow(administrator, flow, is_enabled=None).status_code == 302
    assert not Flow.objects.get().is_enabled


def test_a_flow_with_options_of_another_version_can_be_switched_off(
    administrator: Browser, make_flow: Make
) -> None:
    flow = make_flow("citcall").flow
    Flow.objects.update(options={"max_skew": 99_999_999})
    assert edit_flow(administrator, flow, is_enabled=None).status_code == 302
    assert not Flow.objects.get().is_enabled


def test_who_may_only_look_sees_the_options(
    sign_in: Callable[..., Browser], make_flow: Make
) -> None:
    flow = make_flow("citcall", options={"max_skew": 77}).flow
    page = html.unescape(sign_in("view_flow").get(flow_url(flow)).content.decode())
    assert "Time window (seconds): <code>77</code>" in page
    assert 'name="option_max_skew"' not in page


def test_what_is_refused_after_the_form_becomes_a_message(
    administrator: Browser, make_flow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = make_flow("citcall").flow

    def refuse(*_: object, **__: object) -> None:
        raise lifecycle.LifecycleError("Somebody was first.")

    monkeypatch.setattr(lifecycle, "update_flow", refuse)
    monkeypatch.setattr(lifecycle, "update_client", refuse)
    answer = edit_flow(administrator, flow, is_enabled=None)
    assert answer.status_code == 302
    assert "Somebody was first." in administrator.get(flow_url(flow)).content.decode()
    url = reverse("admin:tenants_client_change", args=[flow.client_id])
    page = administrator.post(url, {"slug": "acme", "name": "Other"}, follow=True)
    assert "Somebody was first." in page.content.decode()


@pytest.mark.parametrize("model", ["client", "flow", "key", "auditentry"])
@pytest.mark.parametrize("query", ["", "acme", "x" * 500, "'\"%_\\", "\U0001f600"])
def test_every_list_can_be_searched_for_anything(
    administrator: Browser, make_flow: Make, model: str, query: str
) -> None:
    make_flow("citcall")
    url = reverse(f"admin:tenants_{model}_changelist")
    assert administrator.get(url, {"q": query}).status_code == 200


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("tenants_auditentry", "verb"),
        ("flows_endpoint_exchangerow", "scheme"),
        ("flows_endpoint_exchangerow", "reason"),
    ],
)
@pytest.mark.parametrize("value", ["\x00", "no such thing", "x" * 500])
def test_a_filter_takes_what_it_offers(
    administrator: Browser, page: str, name: str, value: str
) -> None:
    answer = administrator.get(reverse(f"admin:{page}_changelist"), {name: value})
    assert (answer.status_code, answer["Location"].partition("?")[2]) == (302, "e=1")
