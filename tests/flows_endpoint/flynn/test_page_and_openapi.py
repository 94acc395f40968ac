"""What partners read is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client as Http

from crypto_schemes.envelope import SealedRequest
from crypto_schemes.flynn import documents, open_client_message
from crypto_schemes.flynn.opening import FLYNN_RSA, open_values
from crypto_schemes.flynn.options import FlynnOptions
from flows_endpoint.flynn import examples
from flows_endpoint.flynn.described import DESCRIBED
from flows_endpoint.flynn.errors import Err
from flows_endpoint.flynn.operations import PING, TOKENS
from flows_endpoint.management.commands.partner_pages import refreshed

PAGE = Path(settings.BASE_DIR) / "docs" / "protocols" / "flynn.md"


def test_the_page_shows_what_the_code_makes() -> None:
    text = PAGE.read_text("utf-8")
    assert refreshed(text, examples.render()) == text


def test_the_page_names_every_option_and_error() -> None:
    text = PAGE.read_text("utf-8")
    for name in (*FlynnOptions.model_fields, *Err):
        assert f"`{name}`" in text


@pytest.mark.parametrize("session", [examples.ECB, examples.CBC], ids=["ECB", "CBC"])
def test_the_examples_open_under_the_demo_keys(session: Any) -> None:
    headers = {
        name.lower(): text
        for name, text in examples.secret_headers(session, data=examples.MESSAGE).items()
    }
    opened = open_values(headers, examples.credentials(), FlynnOptions())
    assert opened.texts == {"data": examples.MESSAGE}
    assert opened.session == session
    sent = SealedRequest(body=b"", context=session)
    reply: Any = examples.pong_with_message(session)["data"]
    assert open_client_message(reply["client-message"], sent) == examples.MESSAGE


def test_the_example_of_a_signature_verifies() -> None:
    key = examples.credentials().active(FLYNN_RSA).rsa_public
    reply = examples.invoice_reply()
    opened = documents.verify(str(reply["SignedInvoice"]), key)
    assert {name: opened[name] for name in examples.INVOICE} == examples.INVOICE
    assert opened["Irn"] == reply["Irn"]


@pytest.mark.django_db
def test_the_document_names_each_operation_once(client: Http) -> None:
    document = client.get("/openapi.json", headers={"Accept": "application/json"}).json()
    found = {
        operation["operationId"]: operation
        for operations in document["paths"].values()
        for operation in operations.values()
        if operation.get("tags") == ["Flynn"]
    }
    assert {
        "flynn_log_in",
        "flynn_renew",
        "flynn_log_out",
        "flynn_ping_get",
        "flynn_authenticate_with_secrets_post",
        "flynn_einvoice_generate_v3",
        "flynn_einvoice_generate_v1",
        "flynn_eway_cancel_v3_patch",
        "flynn_eway_generate_v1_ewayapi_post",
    } <= set(found)
    assert not [name for name in found if re.search(r"_\d$", name)]
    body = found["flynn_einvoice_generate_v3"]
    assert "X-FLYNN-S-IRP-PWD" in json.dumps(body["parameters"])
    assert {"200", "400", "401", "403", "500", "502", "503"} == set(body["responses"])


def test_every_operation_is_described() -> None:
    assert TOKENS not in DESCRIBED
    assert PING in DESCRIBED
    assert all(entry.summary and entry.description for entry in DESCRIBED.values())
