"""The partner page, the OpenAPI document and the admin say what the code does."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from crypto_schemes import base64_text
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.isu import SCHEME, IsuOptions
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.isu import examples, products
from flows_endpoint.isu.errors import MEANINGS, IsuError
from flows_endpoint.isu.models import Collection, Payout
from tests.flows_endpoint.isu.partner import PATHS, Partner, payout, upi

PAGE = Path(__file__).resolve().parents[3] / "docs" / "protocols" / "isu.md"
BLOCK = re.compile(r"<!-- example:(\S+) -->\n(.*?)\n<!-- /example -->", re.DOTALL)
OPTIONS = IsuOptions()


def demo() -> Credentials:
    secrets: dict[str, str | bytes] = {
        "pass_key": examples.DEMO_KEYS["pass_key"],
        "client_secret": examples.DEMO_KEYS["client_secret"],
        "isu_aes": base64_text.decode(examples.DEMO_KEYS["aes_key_base64"]),
    }
    return Credentials(
        {"client_id": examples.DEMO_KEYS["client_id"]},
        {name: (KeyVersion(name, name, 1, secret),) for name, secret in secrets.items()},
    )


def test_the_pages_examples_are_what_the_code_makes() -> None:
    shown = dict(BLOCK.findall(PAGE.read_text("utf-8")))
    assert shown == examples.render()


def test_the_page_names_every_option_and_every_error() -> None:
    page = PAGE.read_text("utf-8")
    for name in IsuOptions.model_fields:
        assert f"`{name}`" in page
    for error in IsuError:
        assert error.reply.body.decode() in page
        for said in MEANINGS[error]:
            assert said in page


@pytest.mark.parametrize("product", sorted(PATHS))
def test_an_example_opens_under_the_demo_keys(product: str) -> None:
    headers = examples.headers(examples.PAGE_TIME)
    sent = SealedRequest(json.dumps(examples.body(product)).encode(), headers)
    opened = SCHEME.open_request(sent, demo(), OPTIONS, now=examples.PAGE_TIME)
    assert opened.raw == examples.PAYLOADS[product]
    reply = SealedReply(json.dumps(examples.reply(product)).encode())
    answer = SCHEME.open_reply(reply, sent, demo(), OPTIONS, now=0)
    assert answer["status"] in ("SUCCESS", 200)


@pytest.mark.django_db
@pytest.mark.parametrize("product", [products.PAYOUT, products.DYNAMIC_UPI])
def test_an_example_is_served_and_answered_in_its_form(partner: Partner, product: str) -> None:
    sent = json.loads(examples.PAYLOADS[product])
    answer = partner.ask(product, sent)
    reply = SealedReply(json.dumps(examples.reply(product)).encode())
    shown = SCHEME.open_reply(reply, SealedRequest(b""), demo(), OPTIONS, now=0)
    assert list(answer) == list(shown)
    assert answer["status"] == shown["status"] == "SUCCESS"


def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    return found


def test_every_product_is_described_with_examples_that_open() -> None:
    paths = document()["paths"]
    for product, path in PATHS.items():
        assert list(paths[path]) == ["post"]
        operation = paths[path]["post"]
        assert operation["operationId"] == f"isu_{product}"
        headers = {item["name"]: item for item in operation["parameters"]}
        assert sorted(headers) == ["header_secrets", "pass_key"]
        given = {name: item["examples"]["Demo"]["value"] for name, item in headers.items()}
        body = operation["requestBody"]["content"]["application/json"]["examples"]["DemoRequest"]
        sent = SealedRequest(json.dumps(body["value"]).encode(), given)
        opened = SCHEME.open_request(sent, demo(), OPTIONS, now=time.time())
        assert opened.raw == examples.PAYLOADS[product]
        assert {int(http) for http in operation["responses"]} == {200} | {
            error.http for error in IsuError
        }
        described = {
            example["value"]["statusDesc"]
            for response in operation["responses"].values()
            for example in response["content"]["application/json"]["examples"].values()
            if "statusDesc" in example["value"]
        }
        assert described == {error.text for error in IsuError if error.status is not None}


def test_the_fallback_is_no_address_of_the_document() -> None:
    assert not [path for path in document()["paths"] if "own" in path or path == "/{path}"]


@pytest.mark.django_db
def test_the_admin_shows_records_and_nothing_a_partner_sent(
    partner: Partner, client: Client
) -> None:
    sent, asked = payout(), upi()
    partner.ask("payout", sent)
    partner.ask("dynamic_upi", asked)
    client.force_login(User.objects.create_superuser("root"))
    for model in (Payout, Collection):
        name = model._meta.model_name
        row = model.objects.get()
        for path in (f"/admin/isu/{name}/", f"/admin/isu/{name}/{row.pk}/change/"):
            answer = client.get(path)
            assert answer.status_code == 200
            text = answer.content.decode()
            assert str(row.pk) in text
            for value in [*sent.values(), *asked.values()]:
                if isinstance(value, str) and len(value) > 6:
                    assert value not in text
        assert client.get(f"/admin/isu/{name}/add/").status_code == 403
        assert client.post(f"/admin/isu/{name}/{row.pk}/delete/").status_code == 403
        assert not admin.site._registry[model].has_change_permission(answer.wsgi_request)
