"""The clock inside header_secrets, and what must not be seen twice."""

from __future__ import annotations

import base64

import pytest

from crypto_schemes import json_text
from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import FreshnessError
from crypto_schemes.isu import SCHEME, IsuOptions
from tests.crypto_schemes import isu_flow as flow


def opened(header: str, options: IsuOptions = flow.OPTIONS) -> OpenedRequest:
    return SCHEME.open_request(flow.request(header), flow.FLOW, options, now=flow.NOW)


def with_epoch(epoch: object) -> str:
    return flow.value(json_text.compact({**flow.CLIENT, "epoch": epoch}))


@pytest.mark.parametrize(
    ("epoch", "seconds"),
    [
        ("1727954878", 1_727_954_878),
        (1727954878, 1_727_954_878),
        (1727954878.5, 1_727_954_878.5),
        ("1727954878.25", 1_727_954_878.25),
        ("1727954878124", 1_727_954_878.124),
        (1727954878124, 1_727_954_878.124),
        ("01727954878", 1_727_954_878),
    ],
)
def test_seconds_and_milliseconds_as_text_and_number(epoch: object, seconds: float) -> None:
    assert opened(with_epoch(epoch)).issued_at == seconds


@pytest.mark.parametrize("spelling", ["Client_id", "CLIENT_ID", "client_id"])
def test_member_names_in_any_case(spelling: str) -> None:
    text = flow.HEADER_TEXT.replace(b"client_id", spelling.encode())
    assert opened(flow.value(text)).payload == {"amount": 100}


def test_further_members_are_ignored() -> None:
    header = flow.value(json_text.compact({**flow.CLIENT, "version": "2", "Epoch_ms": 1}))
    assert opened(header).payload == {"amount": 100}


@pytest.mark.parametrize("window", [10, 300, 3600])
def test_the_edge_of_the_window_is_inside(window: int) -> None:
    options = IsuOptions(epoch_window=window)
    for sign in (-1, 1):
        assert opened(with_epoch(int(flow.NOW) + sign * window), options)
        with pytest.raises(FreshnessError) as caught:
            opened(with_epoch(int(flow.NOW) + sign * (window + 1)), options)
        assert caught.value.code == "epoch"


@pytest.mark.parametrize("epoch", [0, "0", "999999999999", 10**12, 10**15, "9" * 15])
def test_far_times_are_not_fresh(epoch: object) -> None:
    with pytest.raises(FreshnessError):
        opened(with_epoch(epoch))


def test_a_fresh_encryption_is_another_call_and_the_same_one_is_not() -> None:
    sent = [SCHEME.seal_request({}, flow.FLOW, flow.OPTIONS, now=flow.NOW) for _ in range(20)]
    once = [
        SCHEME.open_request(one, flow.FLOW, flow.OPTIONS, now=flow.NOW).once
        for one in (*sent, sent[0])
    ]
    assert all(mark is not None and len(mark) == 32 for mark in once)
    assert len(set(once)) == 20
    assert once[0] == once[-1]


def test_a_bent_copy_is_recognised_as_the_same() -> None:
    good = flow.value(flow.HEADER_TEXT)
    mark = opened(good).once
    # The third byte of the IV carries the case of "c" in "client_id".
    data = bytearray(base64.b64decode(good))
    data[2] ^= 0x20
    bent = base64.b64encode(data).decode()
    assert bent != good
    assert opened(bent).once == mark
    # Spare bits of the last base64 character.
    text = flow.HEADER_TEXT + b" " * 4
    spare = flow.value(text)
    assert spare.endswith("=")
    changed = spare.rstrip("=")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twisted = changed[:-1] + last[last.index(changed[-1]) | 1] + "=" * (-len(changed) % 4)
    assert twisted != spare
    assert opened(twisted).once == opened(spare).once


def test_a_bent_tail_is_recognised_under_lenient_unpadding() -> None:
    lenient = IsuOptions(unpad="lenient")
    text = flow.HEADER_TEXT[:-1] + b" " * (-len(flow.HEADER_TEXT) % 16) + b"}"
    data = bytearray(base64.b64decode(flow.value(text)))
    data[-1] ^= 1
    whole, bent = flow.value(text), base64.b64encode(data).decode()
    assert len(text) % 16 == 0
    assert opened(bent, lenient).once == opened(whole, lenient).once


def test_the_guard_can_be_off() -> None:
    assert opened(flow.value(flow.HEADER_TEXT), IsuOptions(replay_guard=False)).once is None
