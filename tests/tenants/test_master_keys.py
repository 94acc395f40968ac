"""Master keys are read strictly; what is malformed or weak is refused without quoting it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants import master_keys
from tenants.master_keys import MasterKeyError, MasterKeys
from tests.support.examples import examples

pytestmark = pytest.mark.once


def text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


RANDOM = bytes.fromhex("6b1f0a9d54c3e872b40f3d9917ae55c2081bf37e6dd0a4491c72859be30f64da")
GOOD = text_of(RANDOM)
OTHER = text_of(bytes.fromhex("d1820e6f7b35c94aa60c5718fe3d92b84f7309e5c12bd8660a94f37ce15b2d47"))


@pytest.mark.parametrize(
    ("text", "versions"),
    [
        (f"1:{GOOD}", [1]),
        (f"1:{GOOD},2:{OTHER}", [1, 2]),
        (f"2:{GOOD}\n1:{OTHER}\n", [1, 2]),
        (f" ,65535:{GOOD} , ", [65535]),
        (f"7:{GOOD.rstrip('=')}", [7]),
        (f"7:{GOOD.replace('+', '-').replace('/', '_')}", [7]),
    ],
)
def test_the_written_forms(text: str, versions: list[int]) -> None:
    keys = MasterKeys.parse(text)
    assert sorted(keys.by_version) == versions
    assert keys.current_version == max(versions)
    assert keys.current == keys.by_version[max(versions)]
    assert all(len(key) == 32 for key in keys.by_version.values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not set"),
        (" , \n", "is not set"),
        (GOOD, "VERSION:BASE64"),
        (f"v1:{GOOD}", "VERSION:BASE64"),
        (f"0:{GOOD}", "VERSION:BASE64"),
        (f"01:{GOOD}", "VERSION:BASE64"),
        (f"-1:{GOOD}", "VERSION:BASE64"),
        (f"100000:{GOOD}", "VERSION:BASE64"),
        (f"²:{GOOD}", "VERSION:BASE64"),
        (f"65536:{GOOD}", "too high"),
        (f"1:{GOOD},1:{OTHER}", "given twice"),
        (f"1:{GOOD},2:{GOOD}", "same key"),
        ("1:", "0 bytes"),
        ("1:not-base64!", "not base64"),
        ("1:§§§§", "not base64"),
        (f"1:{text_of(RANDOM[:31])}", "31 bytes"),
        (f"1:{text_of(RANDOM + RANDOM[:1])}", "33 bytes"),
        (f"1:{RANDOM.hex()}", "48 bytes"),
        (f"1:{text_of(bytes(32))}", "not random"),
        (f"1:{text_of(b'0123456789abcdef' * 2)}", "not random"),
        (f"1:{text_of(b'correct horse battery staple 123')}", "not random"),
        (f"1:{text_of(bytes(range(32)))}", "not random"),
        (f"1:{text_of(bytes(range(255, 191, -2)))}", "not random"),
        (f"1:{text_of(bytes([1, 200]) * 16)}", "not random"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    with pytest.raises(MasterKeyError) as caught:
        MasterKeys.parse(text)
    assert why in str(caught.value)
    for entry in text.replace(",", " ").split():
        encoded = entry.partition(":")[2]
        assert not encoded or encoded not in str(caught.value)


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        keys = MasterKeys.parse(text)
    except MasterKeyError:
        return
    assert keys.by_version


def test_what_generate_writes_is_accepted() -> None:
    texts = {master_keys.generate() for _ in range(200)}
    assert len(texts) == 200
    for text in texts:
        assert MasterKeys.parse(text).current_version == 1
    assert MasterKeys.parse(master_keys.generate(9)).current_version == 9


def test_repr_shows_no_key() -> None:
    keys = MasterKeys.parse(f"1:{GOOD}")
    assert keys.current.hex() not in repr(keys)
    assert repr(keys.current) not in repr(keys)
