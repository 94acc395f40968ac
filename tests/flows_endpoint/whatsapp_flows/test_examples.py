"""The examples open under the demo keys, and the page shows what the code makes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from crypto_schemes.envelope import SealedReply
from crypto_schemes.whatsapp_flows import MAX_BODY, SCHEME, WhatsAppFlowsOptions
from crypto_schemes.whatsapp_flows.flow_json import check_reply
from crypto_schemes.whatsapp_flows.payload import fill_summary, read_request
from crypto_schemes.whatsapp_flows.signatures import SIGNATURE_HEADER
from flows_endpoint.exchange import Reason
from flows_endpoint.whatsapp_flows import examples
from flows_endpoint.whatsapp_flows.errors import MEANINGS, status_of, webhook_status_of
from flows_endpoint.whatsapp_flows.sandbox import FLOW_JSON

pytestmark = pytest.mark.once

OPTIONS = WhatsAppFlowsOptions()
PAIRS = [
    (examples.PING, examples.PONG),
    (examples.STEP, examples.NEXT),
    (examples.STEP, examples.CLOSED),
]


@pytest.mark.parametrize(("asked", "answered"), PAIRS)
def test_each_exchange_opens_both_ways(asked: dict[str, Any], answered: dict[str, Any]) -> None:
    made = examples.sealed(asked, answered)
    assert set(made.request.headers) == {SIGNATURE_HEADER}
    assert made.opened.payload == asked
    credentials = examples.demo_credentials()
    again = SCHEME.open_request(made.request, credentials, OPTIONS, now=0)
    assert again.payload == asked
    value = SCHEME.open_reply(made.reply, made.request, credentials, OPTIONS, now=0)
    assert value == answered
    assert examples.sealed(asked, answered).request.body == made.request.body


def test_the_answers_are_ones_the_sandbox_could_give() -> None:
    request = read_request(examples.STEP)
    for answer in (examples.NEXT, examples.END):
        check_reply(answer, request, FLOW_JSON)
    check_reply(examples.WRONG, read_request(examples.STEP | {"screen": "DETAILS"}), FLOW_JSON)
    template = "Thank you! See you on {date} at {time}, {branch}."
    params = examples.COMPLETED["params"]
    assert fill_summary(template, params) == examples.COMPLETED["summary"]


def test_the_page_shows_what_the_code_makes() -> None:
    page = (settings.BASE_DIR / "docs" / "protocols" / "whatsapp_flows.md").read_text("utf-8")
    blocks = dict(
        re.findall(r"<!-- example:([\w-]+) -->\n(.*?)\n<!-- /example -->", page, re.DOTALL)
    )
    assert blocks == {name: block.strip() for name, block in examples.render().items()}


def test_every_reason_has_a_documented_status() -> None:
    for reason in Reason:
        assert status_of(reason) in MEANINGS
        assert webhook_status_of(reason) in {400, 403, 404, 405, 413, 500}
    assert "10 MiB" in MEANINGS[413].cause
    assert MAX_BODY == 10 * 1024 * 1024


def test_the_openapi_document_has_examples_that_open() -> None:
    generator: Any = SchemaGenerator
    document = generator().get_schema(request=None, public=True)
    post = document["paths"]["/whatsapp/flows/{address}"]["post"]
    shown = post["requestBody"]["content"]["application/json"]["examples"]
    answers = post["responses"]["200"]["content"]["text/plain"]["examples"]
    credentials = examples.demo_credentials()
    assert len(shown) == len(answers) == 2
    for example, answer in zip(shown.values(), answers.values(), strict=True):
        body = json.dumps(example["value"], separators=(",", ":")).replace("/", "\\/").encode()
        signature = re.search(r"`(sha256=[0-9a-f]{64})`", example["description"])
        assert signature is not None
        request = type(examples.sealed(examples.PING, examples.PONG).request)(
            body=body, headers={SIGNATURE_HEADER: signature[1]}
        )
        opened = SCHEME.open_request(request, credentials, OPTIONS, now=0)
        assert json.dumps(opened.payload, separators=(",", ":")) in example["description"]
        sent = type(request)(body=body, context=opened.context)
        reply = SealedReply(answer["value"].encode(), "text/plain")
        assert SCHEME.open_reply(reply, sent, credentials, OPTIONS, now=0)
    webhook = document["paths"]["/whatsapp/webhook/{address}"]
    assert set(webhook) == {"get", "post"}
    assert "432" in post["responses"]
