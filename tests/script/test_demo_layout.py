"""Values fit the terminal: cut in the middle, and JSON that stays JSON where nothing is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes.json_text import JSONValue
from script.partner_demo.layout import LONGEST, abbreviate, abbreviate_all, lay_out

_SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=LONGEST),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "longest", "expected"),
    [
        ("", 10, ""),
        ("0123456789", 10, "0123456789"),
        ("0123456789a", 10, "012345…89a"),
        ("0123456789", 5, "012…9"),
        ("0123456789", -3, "012…9"),
    ],
)
def test_the_middle_is_left_out(text: str, longest: int, expected: str) -> None:
    assert abbreviate(text, longest) == expected


@given(st.text(), st.integers(min_value=5, max_value=60))
def test_what_is_cut_fits(text: str, longest: int) -> None:
    assert len(abbreviate(text, longest)) <= max(longest, 5)


@given(_SMALL, st.integers(min_value=10, max_value=120))
def test_what_is_not_cut_stays_the_same_json(value: JSONValue, width: int) -> None:
    assert json.loads(lay_out(value, width)) == value


def test_long_lists_and_texts_are_cut_at_every_depth() -> None:
    value = {"a": [{"b": "x" * 100}, 1, 2, 3, 4, 5]}
    shown = {"a": [{"b": "x" * 29 + "…" + "x" * 14}, 1, 2, "… 3 more"]}
    assert abbreviate_all(value) == shown


def test_members_share_lines_and_containers_hang() -> None:
    value = {"first": 1, "second": 2, "inner": {"one": "a" * 20, "two": "b" * 20}, "last": []}
    assert lay_out(value, 40).split("\n") == [
        '{"first": 1, "second": 2,',
        ' "inner":',
        '   {"one": "aaaaaaaaaaaaaaaaaaaa",',
        '    "two": "bbbbbbbbbbbbbbbbbbbb"},',
        ' "last": []}',
    ]
    assert lay_out(value, 60).split("\n") == [
        '{"first": 1, "second": 2,',
        ' "inner": {"one": "aaaaaaaaaaaaaaaaaaaa",',
        '           "two": "bbbbbbbbbbbbbbbbbbbb"},',
        ' "last": []}',
    ]
