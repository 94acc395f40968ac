"""JSON from strangers: one reading only, nesting bounded, at a cost in proportion to its size."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes import json_text
from crypto_schemes.json_text import MAX_DEPTH, MAX_VALUES, JSONTextError


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
    max_leaves=60,
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
        b"[" + b"1," * 4_500_000 + b"1]",
        b"[" + (b"[" * 63 + b"]" * 63 + b",") * 70_000 + b"0]",
        b"[" * 9_000_000,
        b"{" + b",".join(b'"%d":1' % number for number in range(300_000)) + b"}",
    ],
    ids=["lists", "objects", "numbers", "deep", "bomb", "members"],
)
def test_what_costs_far_more_to_read_than_to_write_is_refused_quickly(raw: bytes) -> None:
    started = time.process_time()
    with pytest.raises(JSONTextError, match="more than 250000 values"):
        json_text.parse(raw)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("item", [b"1", b'""', b'"[,{"', b'","'])
def test_values_are_counted_exactly(item: bytes) -> None:
    # With the list itself.
    assert len(json_text.parse(b"[" + b",".join([item] * MAX_VALUES) + b"]")) == MAX_VALUES
    with pytest.raises(JSONTextError, match="values"):
        json_text.parse(b"[" + b",".join([item] * (MAX_VALUES + 1)) + b"]")


@pytest.mark.parametrize("text", ["[" * 3_000_000, "a,b\n" * 1_000_000, '{"a":1},' * 400_000])
def test_a_long_text_is_one_value(text: str) -> None:
    started = time.process_time()
    assert json_text.parse(json_text.compact({"text": text})) == {"text": text}
    assert time.process_time() - started < 2
