"""AES keys as partners write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes.errors import KeyMaterialError
from crypto_schemes.isu import IsuOptions
from crypto_schemes.isu.key_text import key_from_text, key_to_text, new_key
from tests.crypto_schemes import isu_flow as flow

BASE64, HEX, UTF8 = (IsuOptions(key_encoding=name) for name in ("base64", "hex", "utf8"))


def test_the_three_writings() -> None:
    assert key_to_text(flow.AES_KEY, BASE64) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert key_to_text(flow.AES_KEY, HEX) == flow.AES_KEY.hex()
    assert key_to_text(b"k" * 32, UTF8) == "k" * 32
    assert key_from_text("é" * 16, UTF8) == "é".encode() * 16


@pytest.mark.parametrize("options", [BASE64, HEX, UTF8], ids=["base64", "hex", "utf8"])
def test_a_new_key_can_be_written_and_read(options: IsuOptions) -> None:
    keys = {new_key(options) for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert len(key) == 32
        assert key_from_text(key_to_text(key, options), options) == key


@given(key=st.binary(min_size=32, max_size=32))
def test_base64_and_hex_write_any_key(key: bytes) -> None:
    assert key_from_text(key_to_text(key, BASE64), BASE64) == key
    assert key_from_text(key_to_text(key, HEX), HEX) == key


@pytest.mark.parametrize("key", [flow.AES_KEY, b"\xff" * 32, b"k" * 31 + b"\n", b""])
def test_a_key_that_is_no_text_is_not_written_as_text(key: bytes) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        key_to_text(key, UTF8)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", BASE64),
        ("AAECAwQFBgcICQoLDA0ODw==", BASE64),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", BASE64),
        ("not a key", BASE64),
        ("é" * 16, BASE64),
        ("", HEX),
        ("00" * 31, HEX),
        ("00" * 33, HEX),
        ("0g" * 32, HEX),
        (" " + "00" * 32, HEX),
        ("k" * 31, UTF8),
        ("k" * 33, UTF8),
        ("é" * 32, UTF8),
        ("\ud800", UTF8),
    ],
)
def test_what_is_no_key_is_refused_without_being_quoted(text: str, options: IsuOptions) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        key_from_text(text, options)
    assert len(text) < 3 or text not in str(caught.value)


@given(text=st.text(max_size=70), options=st.sampled_from([BASE64, HEX, UTF8]))
def test_any_text_is_a_key_or_refused(text: str, options: IsuOptions) -> None:
    try:
        assert len(key_from_text(text, options)) == 32
    except KeyMaterialError as error:
        assert error.code == "bad_key_material"
