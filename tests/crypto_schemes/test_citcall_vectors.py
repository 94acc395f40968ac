"""Known answers, both directions, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crypto_schemes import citcall
from crypto_schemes.envelope import SealedReply
from tests.crypto_schemes.citcall_partner import OPTIONS, credentials, request

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "citcall.json").read_text("utf-8")
)
IDS = [vector["client_id"][:12] + str(i) for i, vector in enumerate(VECTORS)]
#: The one with an escaped slash: read, but not the way this product writes.
OWN_STYLE = [vector for vector in VECTORS if "\\/" not in vector["json"]]


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_text_seals_to_the_known_data(vector: dict[str, Any]) -> None:
    data = citcall.seal_text(
        vector["json"].encode(), vector["client_id"], vector["api_key"], now=vector["unix_time"]
    )
    assert data == vector["data"]


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_data_opens_to_the_known_text(vector: dict[str, Any]) -> None:
    opened = citcall.open_text(vector["data"], vector["client_id"], vector["api_key"])
    assert opened.raw == vector["json"].encode()
    assert opened.issued_at == vector["unix_time"]
    assert opened.payload == json.loads(vector["json"])


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_a_request_with_the_known_data_opens(vector: dict[str, Any]) -> None:
    owner = credentials(vector["api_key"], userid=vector["client_id"])
    sent = request(vector["data"], userid=vector["client_id"], key=vector["api_key"])
    opened = citcall.SCHEME.open_request(sent, owner, OPTIONS, now=vector["unix_time"] + 0.25)
    assert opened.raw == vector["json"].encode()
    assert opened.payload == json.loads(vector["json"])
    assert opened.issued_at == vector["unix_time"]
    assert [version.id for version in opened.opened_by] == ["key-1"]


@pytest.mark.parametrize("vector", OWN_STYLE)
def test_every_sealing_side_writes_the_known_data(vector: dict[str, Any]) -> None:
    owner = credentials(vector["api_key"], userid=vector["client_id"])
    payload, now = json.loads(vector["json"]), vector["unix_time"] + 0.9
    expected = b'{"data":"' + vector["data"].encode() + b'"}'
    sent = citcall.SCHEME.seal_request(payload, owner, OPTIONS, now=now)
    opened = citcall.SCHEME.open_request(sent, owner, OPTIONS, now=now)
    reply = citcall.SCHEME.seal_reply(payload, opened, owner, OPTIONS, now=now)
    callback = citcall.SCHEME.seal_callback(payload, owner, OPTIONS, now=now)
    assert sent.body == reply.body == callback.body == expected


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_a_reply_and_a_callback_with_the_known_data_open(vector: dict[str, Any]) -> None:
    owner = credentials(vector["api_key"], userid=vector["client_id"])
    body, now = json.dumps({"data": vector["data"]}).encode(), float(vector["unix_time"])
    sent = citcall.SCHEME.seal_request({}, owner, OPTIONS, now=now)
    reply = citcall.SCHEME.open_reply(SealedReply(body), sent, owner, OPTIONS, now=now)
    callback = citcall.SCHEME.open_callback(body, {}, owner, OPTIONS, now=now)
    assert reply == callback == json.loads(vector["json"])
