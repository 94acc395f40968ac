"""The partner page and the OpenAPI document say what the code does, under the demo keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as HttpClient
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.kairos import RSA_KEY, SCHEME, SECURITY_ID, KairosOptions, authenticate
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.kairos import examples
from flows_endpoint.kairos.calls import read_calls
from flows_endpoint.kairos.errors import MEANINGS, Code
from tests.flows_endpoint.kairos.partner import (
    DIALER_PLAIN,
    DIALER_SEALED,
    HELPER,
    KEY_PAIR,
    PLAIN,
    PULL,
    SEALED,
    Partner,
)

PAGE = Path(__file__).resolve().parents[3] / "docs" / "protocols" / "kairos.md"
BLOCK = re.compile(r"<!-- example:(\S+) -->\n(.*?)\n<!-- /example -->", re.DOTALL)
OPTIONS = KairosOptions()


def demo() -> Credentials:
    private = rsa.load_private_pem((examples.DEMO / "private_key.pem").read_text("ascii"))
    return Credentials(
        {"flow_id": examples.DEMO_FLOW_ID},
        {
            RSA_KEY: (KeyVersion("demo", RSA_KEY, 1, private),),
            SECURITY_ID: (KeyVersion("demo", SECURITY_ID, 1, examples.DEMO_SECURITY_ID),),
        },
    )


def test_the_pages_examples_are_what_the_code_makes() -> None:
    assert dict(BLOCK.findall(PAGE.read_text("utf-8"))) == examples.render()


def test_the_page_names_every_option_and_every_code() -> None:
    page = PAGE.read_text("utf-8")
    for name in KairosOptions.model_fields:
        assert f"| `{name}` |" in page
    for code, meaning in MEANINGS.items():
        assert f"| `{int(code)}` | {meaning.message} | `{code.name}` |" in page


def test_the_demo_request_opens_under_the_demo_keys() -> None:
    request = SealedRequest(body=examples.envelope().as_body())
    opened = authenticate(SCHEME.open_request(request, demo(), OPTIONS, now=0), demo())
    assert opened.payload == examples.REQUEST
    public = (examples.DEMO / "public_key.pem").read_text("ascii")
    assert rsa.public_pem(demo().active(RSA_KEY).rsa_public) == public
    assert len(read_calls(opened.payload["calls"]).accepted) == 1


def test_the_helpers_example_is_what_it_answers() -> None:
    answer = SCHEME.encrypt_data(
        str(examples.ENCRYPT_DATA["requestValue"]), examples.DEMO_KEY_STRING, demo(), OPTIONS
    )
    shown = examples.helper_reply()
    assert list(answer) == list(shown)
    assert answer["requestEncryptedValue"] == shown["requestEncryptedValue"]


@pytest.mark.django_db
def test_replies_have_the_form_of_the_examples(partner: Partner) -> None:
    answer = partner.sealed(partner.request())
    assert list(answer) == list(examples.REPLY)
    pulled = partner.pull([answer["call-details"][0]["phonon-uuid"]])
    assert list(pulled["data"][0]) == list(examples.pull_reply()["data"][0])


@pytest.fixture
def document(client: HttpClient) -> dict[str, Any]:
    made: dict[str, Any] = client.get(
        "/openapi.json", headers={"Accept": "application/json"}
    ).json()
    return made


@pytest.mark.django_db
def test_every_address_is_described(document: dict[str, Any]) -> None:
    for path in (PLAIN, SEALED, DIALER_PLAIN, DIALER_SEALED, HELPER, KEY_PAIR, PULL):
        operation = document["paths"][path]["post"]
        assert operation["operationId"].startswith("kairos_")
        assert set(operation["responses"]) == {"200", "405", "413"}
        # Examples satisfy the schema beside them.
        for content in (operation["requestBody"], operation["responses"]["200"]):
            described = content["content"]["application/json"]
            validator = Draft202012Validator(described["schema"])
            assert described["examples"]
            for example in described["examples"].values():
                validator.validate(example["value"])
        shown = operation["responses"]["200"]["content"]["application/json"]["examples"]
        codes = {example["value"].get("api-response-code") for example in shown.values()}
        assert codes >= {301, 400, 401, 500} if path == KEY_PAIR else {210, 301, 400, 401, 500}
        if "create" in path:
            assert codes == {int(code) for code in Code} - {209, 213}


@pytest.mark.django_db
@pytest.mark.parametrize("path", [SEALED, DIALER_SEALED])
def test_the_documents_cipher_text_opens(document: dict[str, Any], path: str) -> None:
    body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    (example,) = body["examples"].values()
    request = SealedRequest(body=json.dumps(example["value"]).encode())
    opened = SCHEME.open_request(request, demo(), OPTIONS, now=0)
    assert opened.payload == examples.REQUEST
