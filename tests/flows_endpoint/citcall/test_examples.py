"""The partner page and the OpenAPI document show what the code does today."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Http

from crypto_schemes import citcall
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.citcall import examples

PAGE = (Path(__file__).parents[3] / "docs" / "protocols" / "citcall.md").read_text("utf-8")
BLOCKS: dict[str, str] = dict(
    re.findall(r"<!-- example:([\w-]+) -->\n(.*?)\n<!-- /example -->", PAGE, flags=re.DOTALL)
)
DEMO = Credentials(
    {"userid": "demo-partner"},
    {"api_key": (KeyVersion("demo", "api_key", 1, "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),)},
)
OPTIONS = citcall.CitCallOptions()


def test_the_page_shows_what_the_code_renders() -> None:
    assert examples.render() == BLOCKS


def in_fence(name: str) -> str:
    return BLOCKS[name].split("\n", 1)[1].removesuffix("\n```")


def test_the_examples_of_the_page_open() -> None:
    head, _, body = in_fence("request").partition("\n\n")
    authorization = head.split("Authorization: ")[1].split("\n")[0]
    sent = SealedRequest(body.encode(), {"authorization": authorization})
    now = examples.PAGE_TIME
    opened = citcall.SCHEME.open_request(sent, DEMO, OPTIONS, now=now)
    assert opened.payload == examples.REQUEST
    reply = SealedReply(in_fence("reply").encode())
    shown = json.loads(in_fence("reply-opened"))
    assert citcall.SCHEME.open_reply(reply, sent, DEMO, OPTIONS, now=now) == shown
    callback = in_fence("callback").encode()
    shown = json.loads(in_fence("callback-opened"))
    assert citcall.SCHEME.open_callback(callback, {}, DEMO, OPTIONS, now=now) == shown


def test_the_last_step_is_the_request() -> None:
    steps = dict(line[2:].split("  ", 1) for line in in_fence("steps").splitlines())
    made = {name: text.strip() for name, text in steps.items()}
    data = json.loads(in_fence("request").partition("\n\n")[2])["data"]
    assert made["base64url"] == data
    raw = bytes.fromhex(made["API key added"])
    assert base64.urlsafe_b64encode(raw).decode().rstrip("=") == data


@pytest.fixture
def document(db: None, client: Http) -> Any:
    return json.loads(client.get("/openapi.json", HTTP_ACCEPT="application/json").content)


def test_the_openapi_examples_open_now(document: Any) -> None:
    operation = document["paths"]["/v2/asynccall"]["post"]
    assert operation["operationId"] == "citcall_asynccall"
    requests = operation["requestBody"]["content"]["application/json"]["examples"]
    (example,) = requests.values()
    body = json.dumps(example["value"]).encode()
    authorization = example["description"].split("Authorization: ")[1].split("`")[0]
    sent = SealedRequest(body, {"authorization": authorization})
    opened = citcall.SCHEME.open_request(sent, DEMO, OPTIONS, now=time.time())
    assert opened.payload == examples.REQUEST
    replies = operation["responses"]["200"]["content"]["application/json"]["examples"]
    reply = SealedReply(json.dumps(replies["Success"]["value"]).encode())
    opened_reply = citcall.SCHEME.open_reply(reply, sent, DEMO, OPTIONS, now=time.time())
    assert opened_reply == examples.REPLY
    assert len(replies) == 10


def test_the_openapi_document_knows_the_header(document: Any) -> None:
    operation = document["paths"]["/v2/asynccall"]["post"]
    assert operation["security"] == [{"CitCallAuthorization": []}]
    scheme = document["components"]["securitySchemes"]["CitCallAuthorization"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "Authorization")
