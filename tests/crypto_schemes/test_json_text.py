"""JSON from strangers: one reading only, nesting bounded, at a cost in proportion to its size."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes import json_text
from crypto_schemes.json_text import MAX_DEPTH, JSONTextError


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


@pytest.mark.parametrize(
    "make",
    [
        nested,
        lambda depth: nested(depth, '{"a":', "}"),
        lambda depth: b"[" + nested(depth - 1) + b"," + nested(depth - 1) + b"]",
        lambda depth: b'["' + b"[" * 500 + b'\\"\\\\",' + nested(depth - 1) + b"]",
        lambda depth: b"[" + b"[]," * 500 + nested(depth - 1) + b"]",
        lambda depth: b'[{"":"",' + b'"\\\\":[],"[\\"{":""},' + nested(depth - 1) + b"]",
    ],
    ids=["lists", "objects", "side by side", "brackets in a string", "many flat", "escapes"],
)
def test_nesting_is_bounded_exactly(make: Any) -> None:
    assert json_text.parse(make(MAX_DEPTH)) == json.loads(make(MAX_DEPTH))
    with pytest.raises(JSONTextError):
        json_text.parse(make(MAX_DEPTH + 1))


def test_alternating_kinds_count_as_what_they_are() -> None:
    for pairs, fits in ((MAX_DEPTH // 2, True), (MAX_DEPTH // 2 + 1, False)):
        raw = ('[{"a":' * pairs + "0" + "}]" * pairs).encode()
        if fits:
            json_text.parse(raw)
        else:
            with pytest.raises(JSONTextError, match="nested deeper than 64"):
                json_text.parse(raw)


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"]" * 100, b"[]" * 100, b'"' + b"[" * 100, b"[}" * 100, b'["' * 100]
)
def test_brackets_that_do_not_match_are_no_json(raw: bytes) -> None:
    with pytest.raises(JSONTextError):
        json_text.parse(raw)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\,:a\u00e9'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(alphabet='[]{}"\\a'), inner),
    max_leaves=200,
)


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    padded = [value, [[]] * MAX_DEPTH]  # brackets enough to be looked at closely
    assert json_text.parse(json_text.compact(padded)) == padded


@pytest.mark.parametrize(
    "raw",
    [
        b"[" + b"[]," * 3_000_000 + b"[]]",
        b"[" + b'{"[":1},' * 1_100_000 + b"0]",
        b'["' + b"[" * 9_000_000 + b'"]',
        (b"[" * 63 + b"]" * 63 + b",") * 70_000,
        b"[" * 9_000_000,
    ],
    ids=["lists", "objects", "string", "deep", "bomb"],
)
def test_the_look_at_nesting_is_quick(raw: bytes) -> None:
    started = time.process_time()
    json_text._depth(raw)
    assert time.process_time() - started < 1.5
