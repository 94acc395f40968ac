"""The additive cipher against its formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes.ciphers.additive import AdditiveCipherError, add, subtract

ASCII = st.lists(st.integers(0, 127), max_size=120).map(bytes)
KEYS = st.lists(st.integers(0, 127), min_size=1, max_size=40).map(bytes)


@given(ASCII, KEYS)
def test_every_place_follows_the_formula(text: bytes, key: bytes) -> None:
    assert add(text, key) == bytes(
        (character + key[i % len(key) - 1]) % 128 for i, character in enumerate(text)
    )


@given(ASCII, KEYS)
def test_subtracting_undoes_adding(text: bytes, key: bytes) -> None:
    assert subtract(add(text, key), key) == text


@pytest.mark.parametrize(
    ("text", "key", "out"),
    [
        (b"", b"k", b""),
        (b"A", b"\x01", b"B"),
        (b"AAA", b"\x01\x02", b"CBC"),
        (b"\x7f\x7f", b"\x7f", b"\x7e\x7e"),
        (b"\x00\x7f\x00", b"\x7f\x01", b"\x01\x7e\x01"),
    ],
)
def test_known_answers(text: bytes, key: bytes, out: bytes) -> None:
    assert add(text, key) == out
    assert subtract(out, key) == text


@pytest.mark.parametrize(
    ("text", "key"), [(b"a\x80", b"k"), (b"a", b"k\xff"), (b"a", b""), (b"", b"")]
)
def test_what_is_not_ascii_and_an_empty_key_are_refused(text: bytes, key: bytes) -> None:
    with pytest.raises(AdditiveCipherError):
        add(text, key)
    with pytest.raises(AdditiveCipherError):
        subtract(text, key)


def test_a_long_text_is_one_pass() -> None:
    text = bytes(range(128)) * 8_000
    assert subtract(add(text, b"partner01"), b"partner01") == text
