"""Known answers: every value of the vectors, sealed and opened byte for byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.isu import SCHEME, open_header
from crypto_schemes.isu.value import seal_value
from tests.crypto_schemes import isu_flow as flow

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "isu.json").read_text("utf-8")
)
NAMES = [f"{index}-{vector['kind']}" for index, vector in enumerate(VECTORS)]


def of_kind(*kinds: str) -> list[dict[str, Any]]:
    found = [vector for vector in VECTORS if vector["kind"] in kinds]
    assert found
    return found


def test_every_vector_is_of_a_known_kind_and_under_the_key_of_the_tests() -> None:
    assert len(VECTORS) == 4
    assert {vector["kind"] for vector in VECTORS} == {
        "header_secrets",
        "RequestData",
        "ResponseData",
    }
    assert all(base64.b64decode(vector["key_base64"]) == flow.AES_KEY for vector in VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=NAMES)
def test_sealing_gives_the_value(vector: dict[str, Any]) -> None:
    sealed = seal_value(
        base64.b64decode(vector["key_base64"]),
        vector["json"].encode(),
        flow.OPTIONS,
        iv=bytes.fromhex(vector["iv_hex"]),
    )
    assert sealed == vector["value"]


@pytest.mark.parametrize("vector", of_kind("header_secrets"))
def test_a_header_opens(vector: dict[str, Any]) -> None:
    headers = {"pass-key": "demo-pass-key", "header-secrets": vector["value"]}
    header = open_header(headers, flow.FLOW, flow.OPTIONS, now=flow.NOW)
    members = {name.lower(): text for name, text in json.loads(vector["json"]).items()}
    expected = float(members["epoch"])
    assert header.issued_at == (expected / 1000 if expected >= 10**12 else expected)
    assert header.opened_by == (flow.PASS, flow.AES, flow.SECRET)


@pytest.mark.parametrize("vector", of_kind("RequestData"))
def test_a_request_opens(vector: dict[str, Any]) -> None:
    opened = SCHEME.open_request(
        flow.request(data=vector["value"]), flow.FLOW, flow.OPTIONS, now=flow.NOW
    )
    assert opened.raw == vector["json"].encode()
    assert opened.payload == json.loads(vector["json"])


@pytest.mark.parametrize("vector", of_kind("ResponseData"))
def test_a_reply_opens(vector: dict[str, Any]) -> None:
    reply = SealedReply(body=json.dumps({"ResponseData": vector["value"]}).encode())
    opened = SCHEME.open_reply(reply, SealedRequest(b""), flow.FLOW, flow.OPTIONS, now=flow.NOW)
    assert opened == json.loads(vector["json"])


def test_a_sealed_request_is_the_vector_when_its_iv_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crypto_schemes.isu.value.secrets.token_bytes", lambda size: flow.IV[:size])
    sealed = SCHEME.seal_request(
        {"clientReferenceNo": "DEMO0000000001", "amount": 100},
        flow.FLOW,
        flow.OPTIONS,
        now=flow.NOW,
    )
    (data,) = of_kind("RequestData")
    assert sealed.body == b'{"RequestData":"%s"}' % data["value"].encode()
    assert dict(sealed.headers) == {
        "content-type": "application/json",
        "pass-key": "demo-pass-key",
        "header-secrets": of_kind("header_secrets")[0]["value"],
    }


def test_a_sealed_reply_is_the_vector_when_its_iv_is(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = SCHEME.open_request(flow.request(), flow.FLOW, flow.OPTIONS, now=flow.NOW)
    monkeypatch.setattr("crypto_schemes.isu.value.secrets.token_bytes", lambda size: flow.IV[:size])
    sealed = SCHEME.seal_reply(
        {"status": "SUCCESS", "statusDesc": "Zoë"}, opened, flow.FLOW, flow.OPTIONS, now=flow.NOW
    )
    (data,) = of_kind("ResponseData")
    assert sealed.body == b'{"ResponseData":"%s"}' % data["value"].encode()
    assert sealed.content_type == "application/json"
