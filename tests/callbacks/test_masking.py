"""What is kept of an answer: its beginning, and none of our secrets."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks import masking
from crypto_schemes.citcall import SCHEME, CitCallOptions
from crypto_schemes.keys import Credentials, KeyVersion

pytestmark = pytest.mark.once

BASIC = "Basic " + base64.b64encode(b"bank:pa55-word,x").decode()
HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "Sealgate-Callbacks/1",
    "webhook-id": "00000000-0000-4000-8000-000000000001",
    "webhook-timestamp": "1700000000",
    "webhook-signature": "v1,AAAA/BBBB+CCCC= v1,DDDD",
    "Authorization": BASIC,
    "X-Own": "opensesame",
}


def kept(body: str, *secrets: str) -> str:
    return masking.excerpt(body.encode(), HEADERS, secrets).decode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("thanks for opensesame!", "thanks for [masked]!"),
        (f"you sent {BASIC}", "you sent [masked]"),
        (f"got {BASIC.split()[1]} here", "got [masked] here"),
        ("wrong: pa55-word,x", "wrong: [masked]"),
        ("v1,AAAA/BBBB+CCCC=", "v1,[masked]"),
        (r'{"s":"AAAA\/BBBB+CCCC="}', '{"s":"[masked]"}'),
        ('{"password": "hunter2", "n": 1}', '{"password": "[masked]", "n": 1}'),
        ('{"apiKey":"k","status":0}', '{"apiKey":"[masked]","status":0}'),
        ("access_token=abc&x=1", "access_token=[masked]&x=1"),
        ("Authorization: Bearer abc.def\nX: 1", "Authorization: [masked]\nX: 1"),
        ('{"client_secret":"a\\"b"}', '{"client_secret":"[masked]"}'),
        ('{"token":null}', '{"token":[masked]}'),
        ('{"status":"0","statusDesc":"OK"}', '{"status":"0","statusDesc":"OK"}'),
        ("id 00000000-0000-4000-8000-000000000001", "id 00000000-0000-4000-8000-000000000001"),
    ],
)
def test_secrets_are_masked_and_the_rest_stays(body: str, expected: str) -> None:
    assert kept(body) == expected


def test_what_the_channel_names_is_masked_too() -> None:
    assert kept("hello EAAGsecret bye", "EAAGsecret") == "hello [masked] bye"
    assert kept("a", "a") == "a"  # too short to be one


def test_no_more_than_four_kilobytes_and_no_half_secret() -> None:
    body = "x" * (masking.KEPT - 5) + "opensesame"
    assert kept(body) == "x" * (masking.KEPT - 5) + "[mask"
    assert len(kept("y" * 10_000)) == 4096


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_answer_brings_a_secret_back(before: bytes, after: bytes) -> None:
    excerpt = masking.excerpt(before + b"opensesame" + after, HEADERS)
    assert b"opensesame" not in excerpt
    assert len(excerpt) <= masking.KEPT


def test_a_long_row_of_near_misses_takes_no_time() -> None:
    masking.excerpt(b"token" * 5000, HEADERS)
    masking.excerpt(b'"token": "' + b"\\" * 16_000, HEADERS)
    masking.excerpt(b"-token-" * 3000, HEADERS)
    masking.excerpt(b"a" * 20_000, HEADERS)
    masking.excerpt(b"token: " * 5000, HEADERS)


@pytest.mark.parametrize("body", [b"ok", b"{}", b"t=1"])
def test_an_answer_too_short_for_a_secret_stays(body: bytes) -> None:
    assert masking.excerpt(body, {"Authorization": "Bearer x"}) == body


CREDENTIALS = Credentials(
    identity={"userid": "acme"},
    versions={"api_key": (KeyVersion("1", "api_key", 1, "0123456789abcdef0123456789abcdef"),)},
)
PAYLOAD: Any = {
    "msisdn": "+6281298765432",
    "name": "Marigold Undisclosed-Ünal",
    "digits": "4711",
    "choice": "7",
    "calls": [{"attempt": 3, "reference": 20261126, "note": 'said "no" / left'}],
    "answered": True,
}
CLEAR = ("81298765432", "Marigold", "Undisclosed", "4711", "20261126", 'said "no"')
SEALED = SCHEME.seal_callback(PAYLOAD, CREDENTIALS, CitCallOptions(), now=1_800_000_000).body
BODIES = {
    "json": json.dumps(PAYLOAD, ensure_ascii=False).encode(),
    "ascii": json.dumps(PAYLOAD).encode(),
    "form": urlencode({**PAYLOAD, "calls": json.dumps(PAYLOAD["calls"])}).encode(),
    "additive": SEALED,
}


def told(answer: bytes, sent: bytes = BODIES["json"]) -> bytes:
    return masking.excerpt(answer, HEADERS, (), lambda: masking.said_in(sent, PAYLOAD))


@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("answered", BODIES.values(), ids=BODIES)
def test_a_body_that_is_repeated_shows_none_of_its_values(sent: bytes, answered: bytes) -> None:
    quoted = json.dumps({"error": "bad", "received": answered.decode()}).encode()
    for answer in (answered, b"cannot read " + answered, quoted, answered * 40):
        seen = told(answer, sent).decode("utf-8", "replace")
        for value in CLEAR:
            assert value not in seen
            assert quote_plus(value) not in seen
    if sent == answered == SEALED:
        assert told(sent, sent) == b'{"data":"[masked]"}'


@pytest.mark.parametrize("length", range(1, 60))
def test_one_that_is_cut_short_shows_no_beginning_of_a_value(length: int) -> None:
    seen = told(b"you sent " + "Marigold Undisclosed-Ünal +6281298765432".encode()[:length])
    assert b"Mar" not in seen
    assert b"+62" not in seen
    longer = told(b'{"e":"' + b"Marigold Undiscl" + b'..."}')
    assert longer == b'{"e":"[masked]..."}'


def test_a_short_value_is_masked_under_its_own_name_only() -> None:
    answer = b'{"choice":"7","attempt": 3,"code":7,"left":3,"answered":true}'
    assert told(answer) == (
        b'{"choice":"[masked]","attempt": [masked],"code":7,"left":3,"answered":true}'
    )


@pytest.mark.parametrize("answer", [b'{"status":"0","statusDesc":"OK"}', b"no such flow", b"4 710"])
def test_what_the_receiver_says_itself_stays(answer: bytes) -> None:
    assert told(answer) == answer


def test_many_values_and_a_long_answer_take_no_time() -> None:
    payload: Any = [f"{number:08}" for number in range(2_000)] + ["a" * 10_000]
    answer = b"a" * 30_000
    masking.excerpt(answer, {}, (), lambda: masking.said_in(b"{}", payload))
