"""A flow of each contract is made through the admin's forms, and its secrets are shown once."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from crypto_schemes import registry
from tenants import lifecycle
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow, Key
from tests.tenants.admin_pages import add_flow, flow_url, form_of, new_flow_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_the_form_as_it_stands_makes_a_flow(
    administrator: Browser, client_row: Client, scheme: str
) -> None:
    answer = add_flow(administrator, scheme, client_row)
    assert answer.status_code == 200
    flow = Flow.objects.get()
    assert (flow.scheme, flow.client, flow.options, flow.backend) == (
        scheme,
        client_row,
        {},
        "sandbox",
    )
    shown: str = html.unescape(answer.content.decode())
    bundle = json.loads(re.search(r"<pre[^>]*>(\{.*?\})</pre>", shown, re.S)[1])  # type: ignore[index]
    assert list(bundle) == ["scheme", "url", "documentation", "credentials"]
    assert (bundle["scheme"], bundle["url"]) == (scheme, lifecycle.url_of(flow))
    assert bundle["documentation"] == f"http://127.0.0.1:8000/docs/{scheme}"
    given = bundle["credentials"]
    assert list(given)[: len(registry.get(scheme).bundle)] == list(registry.get(scheme).bundle)
    assert given["callback_signing"].startswith("whsec_")
    assert all(value in shown for value in given.values())
    assert "whsec_" in shown


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_every_option_is_a_field_with_its_title_and_help(
    administrator: Browser, scheme: str
) -> None:
    page = html.unescape(administrator.get(new_flow_url(scheme)).content.decode())
    fields = form_of(page, "new_id")
    for name, info in registry.get(scheme).options_type.model_fields.items():
        assert str(info.title) in page
        assert str(info.description) in page
        assert f'name="option_{name}"' in page
    assert fields["address"] == ""


def test_options_are_stored_as_the_contract_takes_them(
    administrator: Browser, client_row: Client
) -> None:
    answer = add_flow(
        administrator,
        "kairos",
        client_row,
        address="Abcd1234",
        option_rsa_padding='"oaep_sha256"',
        option_rsa_bits="2048",
        option_encrypt_helper="false",
        option_partner_key_generation="on",
        option_checksum_window="60",
        option_test_phone_numbers="+919812345678\n 919812345679 ",
        option_valid_until="2031-12-31",
        option_balance="500",
    )
    assert answer.status_code == 200
    flow = Flow.objects.get(address="Abcd1234")
    assert flow.options == {
        "rsa_padding": "oaep_sha256",
        "rsa_bits": 2048,
        "encrypt_helper": False,
        "partner_key_generation": True,
        "checksum_window": 60,
        "test_phone_numbers": ["+919812345678", "919812345679"],
        "valid_until": "2031-12-31",
        "balance": 500,
    }
    assert Key.objects.get(purpose="kairos_rsa").public_pem.count("\n") == 9


@pytest.mark.parametrize(
    ("scheme", "fields", "where", "text"),
    [
        ("kairos", {"option_checksum_window": "0"}, "option_checksum_window", "greater than or"),
        ("kairos", {"option_checksum_window": ""}, "option_checksum_window", "required"),
        ("kairos", {"option_rsa_bits": "1024"}, "option_rsa_bits", "valid choice"),
        ("kairos", {"option_test_phone_numbers": "12"}, "option_test_phone_numbers", "pattern"),
        ("kairos", {"option_valid_until": "soon"}, "option_valid_until", "valid date"),
        ("isu", {"option_payout_path": "no-slash"}, "option_payout_path", "pattern"),
        ("isu", {"option_iv": "fixed:short"}, "option_iv", "16 characters or 32 hex digits"),
        ("isu", {"option_status_path": "/w1w2-payout/w1/cashtransfer"}, "__all__", "own"),
        ("isu", {"option_status_path": "/livez"}, "option_status_path", "of the product itself"),
        ("citcall", {"option_number_pool": "abc"}, "option_number_pool", "each entry"),
        ("flynn", {"option_token_minutes": "1000"}, "__all__", "token_max_minutes"),
        ("whatsapp_flows", {"option_flow_json": "{"}, "option_flow_json", ""),
        ("citcall", {"address": "a b"}, "address", "letters, digits"),
        ("citcall", {"client": ""}, "client", "required"),
        ("citcall", {"backend": "upstream"}, "upstream_url", "needs an upstream URL"),
        ("citcall", {"upstream_url": "ftp://x/y"}, "upstream_url", "http or https"),
        ("citcall", {"callback_url": "https://u:p@x/y"}, "callback_url", "Leave user name"),
        ("citcall", {"backend": "python"}, "backend_class", "dotted path"),
        ("citcall", {"backend": "python", "backend_class": "os.path"}, "backend_class", "subclass"),
        ("citcall", {"allowed_networks": "10.0.0.1/8"}, "allowed_networks", "not a network"),
    ],
)
def test_what_is_wrong_stands_at_the_field_and_nothing_is_made(
    administrator: Browser,
    client_row: Client,
    scheme: str,
    fields: dict[str, str],
    where: str,
    text: str,
) -> None:
    audited = AuditEntry.objects.count()
    answer = add_flow(administrator, scheme, client_row, **fields)
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert list(errors) == [where]
    assert text in " ".join(errors[where])
    assert not Flow.objects.exists()
    assert not Key.objects.exists()
    assert AuditEntry.objects.count() == audited


def test_an_address_in_use_stands_at_the_field(administrator: Browser, client_row: Client) -> None:
    add_flow(administrator, "citcall", client_row, address="partner01")
    answer = add_flow(administrator, "citcall", client_row, address="partner01")
    assert "is in use" in answer.context["adminform"].form.errors["address"][0]
    assert Flow.objects.count() == 1


def test_the_same_form_sent_twice_makes_one_flow(
    administrator: Browser, client_row: Client
) -> None:
    url = new_flow_url("citcall", client_row)
    data = form_of(administrator.get(url).content.decode(), "new_id")
    first = administrator.post(url, data)
    again = administrator.post(url, data)
    flow = Flow.objects.get()
    assert first.status_code == 200
    assert (again.status_code, again["Location"]) == (302, flow_url(flow))
    assert Key.objects.filter(flow=flow).count() == 3


def test_the_same_form_sent_twice_at_once_makes_one_flow(
    administrator: Browser, client_row: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_flow_url("citcall", client_row)
    data = form_of(administrator.get(url).content.decode(), "new_id")
    create = lifecycle.create_flow

    def after_the_first(*given: Any, **details: Any) -> IssuedFlow:
        create(*given, **details)
        return create(*given, **details)

    monkeypatch.setattr(lifecycle, "create_flow", after_the_first)
    answer = administrator.post(url, data)
    flow = Flow.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, flow_url(flow))
    assert Key.objects.filter(flow=flow).count() == 3


@pytest.mark.parametrize("query", ["", "?scheme=", "?scheme=no_such", "?scheme=../kairos"])
def test_without_a_known_contract_the_contracts_are_offered(
    administrator: Browser, query: str
) -> None:
    page = administrator.get(reverse("admin:tenants_flow_add") + query)
    shown = html.unescape(page.content.decode())
    for scheme in registry.all_schemes():
        assert f"scheme={scheme.name}" in shown
        assert scheme.promise in shown


def test_the_chosen_client_is_kept_while_the_contract_is_chosen(
    administrator: Browser, client_row: Client
) -> None:
    page = administrator.get(reverse("admin:tenants_flow_add"), {"client": str(client_row.pk)})
    assert f"client={client_row.pk}&amp;scheme=isu" in page.content.decode()
