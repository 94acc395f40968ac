"""A broken expectation says in a sentence what was expected and what came."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from script.partner_demo import expectations as expect
from script.partner_demo.expectations import UnexpectedError


def test_what_is_as_expected_says_nothing() -> None:
    expect.same("status", 200, 200)
    expect.one_of("status", "A", ("A", "B"))
    expect.holds("link", "upi://", True, "a link")
    assert expect.member({"a": [{"b": 7}]}, "a", 0, "b") == 7
    assert expect.text({"a": "b"}, "a") == "b"


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            lambda: expect.same("the HTTP status", 500, 200),
            "Expected for the HTTP status: 200. What came: 500.",
        ),
        (
            lambda: expect.same("subStatus", True, 1),
            "Expected for subStatus: 1. What came: true.",
        ),
        (
            lambda: expect.same("the answer", b"{}", b""),
            "Expected for the answer: b''. What came: b'{}'.",
        ),
        (
            lambda: expect.one_of("result", "Lost", ("Won",)),
            "Expected for result: one of ('Won',). What came: \"Lost\".",
        ),
        (
            lambda: expect.member({"a": {}}, "a", "b"),
            "Expected for the answer's a → b: it to be there. What came: {}.",
        ),
        (
            lambda: expect.member([], 0),
            "Expected for the answer's 0: it to be there. What came: [].",
        ),
        (
            lambda: expect.member("text", "a"),
            'Expected for the answer\'s a: it to be there. What came: "text".',
        ),
        (
            lambda: expect.text({"a": 1}, "a"),
            "Expected for the answer's a: a text. What came: 1.",
        ),
    ],
)
def test_what_is_off_is_said(broken: Callable[[], None], sentence: str) -> None:
    with pytest.raises(UnexpectedError) as caught:
        broken()
    assert str(caught.value) == sentence
