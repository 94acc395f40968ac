"""What is kept of an answer: its beginning, and none of our secrets."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks import masking

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
