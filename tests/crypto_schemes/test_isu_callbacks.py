"""Callbacks: both headers, a plain or sealed body, and what counts as taken."""

from __future__ import annotations

import json

import pytest

from crypto_schemes.errors import AuthenticationError, EnvelopeError, FreshnessError, OpenError
from crypto_schemes.isu import SCHEME, IsuOptions
from tests.crypto_schemes import isu_flow as flow

SEALED = IsuOptions(callback_body="sealed")
RESULT = {"txnId": "T1", "status": "SUCCESS", "statusCode": 0, "customerName": "Zoë"}


def test_a_plain_callback_is_json_with_both_headers() -> None:
    sent = SCHEME.seal_callback(RESULT, flow.FLOW, flow.OPTIONS, now=flow.NOW)
    assert json.loads(sent.body) == RESULT
    assert sent.content_type == "application/json"
    assert set(sent.headers) == {"pass_key", "header_secrets"}
    assert sent.headers["pass_key"] == "demo-pass-key"


def test_a_sealed_callback_is_request_data() -> None:
    sent = SCHEME.seal_callback(RESULT, flow.FLOW, SEALED, now=flow.NOW)
    assert list(json.loads(sent.body)) == ["RequestData"]
    assert b"SUCCESS" not in sent.body
    opened = SCHEME.open_callback(sent.body, sent.headers, flow.FLOW, SEALED, now=flow.NOW)
    assert opened == RESULT


def test_each_callback_has_a_header_of_its_own() -> None:
    first, second = (
        SCHEME.seal_callback(RESULT, flow.FLOW, flow.OPTIONS, now=flow.NOW) for _ in range(2)
    )
    assert first.headers["header_secrets"] != second.headers["header_secrets"]


def test_a_receiver_refuses_what_is_not_from_us() -> None:
    sent = SCHEME.seal_callback(RESULT, flow.FLOW, SEALED, now=flow.NOW)
    others = flow.credentials(aes_keys=(flow.version("isu_aes", flow.OTHER_KEY),))
    with pytest.raises(AuthenticationError):
        SCHEME.open_callback(sent.body, {}, flow.FLOW, SEALED, now=flow.NOW)
    with pytest.raises(OpenError):
        SCHEME.open_callback(sent.body, sent.headers, others, SEALED, now=flow.NOW)
    with pytest.raises(FreshnessError):
        SCHEME.open_callback(sent.body, sent.headers, flow.FLOW, SEALED, now=flow.NOW + 301)
    with pytest.raises(EnvelopeError):
        SCHEME.open_callback(b"{}", sent.headers, flow.FLOW, SEALED, now=flow.NOW)
    with pytest.raises(OpenError):
        SCHEME.open_callback(b"{", sent.headers, flow.FLOW, flow.OPTIONS, now=flow.NOW)


@pytest.mark.parametrize(
    ("body", "taken"),
    [
        (b'{"status":0,"statusDesc":"Success"}', True),
        (b'{"status":"0","statusDesc":"Success"}', True),
        (b'{"status":0}', True),
        (b'{"status":1,"statusDesc":"Failed"}', False),
        (b'{"status":-1}', False),
        (b'{"status":false}', False),
        (b'{"status":null}', False),
        (b'{"status":[]}', False),
        (b'{"status":""}', False),
        (b'{"statusDesc":"Success"}', False),
        (b"0", False),
        (b"[0]", False),
        (b"", False),
        (b"OK", False),
        (b"\xff", False),
    ],
)
def test_only_status_0_means_taken(body: bytes, *, taken: bool) -> None:
    assert SCHEME.callback_acknowledged(body) is taken
