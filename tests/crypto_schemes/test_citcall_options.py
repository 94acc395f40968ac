"""The options of a CitCall flow: defaults, bounds, and sentences an administrator can use."""

from __future__ import annotations

from typing import Any

import pytest

from crypto_schemes.citcall import SCHEME, CitCallOptions
from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.keys import generate_material, parse_material


def test_defaults() -> None:
    assert CitCallOptions().model_dump() == {
        "max_skew": 480,
        "reply_trxid": True,
        "callback_body": "sealed",
        "number_pool": ("0215080XXXX",),
        "attempts_per_minute": 60,
    }


def test_each_has_a_title_and_a_help_text() -> None:
    for field in CitCallOptions.model_fields.values():
        assert field.title
        assert field.description
        assert len(field.description) > 60


@pytest.mark.parametrize(
    ("given", "pool"),
    [
        ("0215080XXXX", ("0215080XXXX",)),
        ("0215080XXXX, 0216000XXXX", ("0215080XXXX", "0216000XXXX")),
        ("02150800042\n02150800043\n", ("02150800042", "02150800043")),
        (["+62215080XXX"], ("+62215080XXX",)),
        (["02150800042", "02150801X"], ("02150800042", "02150801X")),
    ],
)
def test_a_number_pool_may_be_listed_in_a_text(given: Any, pool: tuple[str, ...]) -> None:
    assert CitCallOptions.from_mapping({"number_pool": given}).number_pool == pool


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_skew", 0),
        ("max_skew", 86_401),
        ("max_skew", "soon"),
        ("reply_trxid", "perhaps"),
        ("callback_body", "encrypted"),
        ("number_pool", []),
        ("number_pool", ""),
        ("number_pool", "0215080XXX1"),
        ("number_pool", "021508-XXXX"),
        ("number_pool", "XXXXXXXX"),
        ("number_pool", "021XXXX"),
        ("number_pool", "0215080000000XXXX"),
        ("number_pool", "02150800042"),
        ("number_pool", "02150800042 02160000042"),
        ("number_pool", ["0215080XXXX\n"]),
        ("number_pool", 5),
        ("attempts_per_minute", 0),
        ("attempts_per_minute", 100_001),
        ("colour", "red"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(OptionsError) as caught:
        CitCallOptions.from_mapping({name: value})
    assert caught.value.what.startswith(name)


def test_a_stored_form_reads_back() -> None:
    options = CitCallOptions(number_pool=("0215080XXXX", "0216000XXXX"), max_skew=60)
    assert CitCallOptions.from_mapping(options.model_dump(mode="json")) == options


def test_api_keys_are_32_hex_digits_of_any_case() -> None:
    spec = SCHEME.purpose("api_key")
    made = generate_material(spec)
    assert parse_material(spec, made, trusted=False) == made.decode()
    assert len(made) == 32
    assert spec.locates
    assert parse_material(spec, b"0123456789ABCDEFabcdef0123456789", trusted=False)
    for bad in (b"0" * 31, b"0" * 33, b"g" * 32, b"0" * 31 + b"\n"):
        with pytest.raises(KeyMaterialError):
            parse_material(spec, bad, trusted=False)


def test_the_userid_is_the_address() -> None:
    (userid,) = SCHEME.identity
    assert userid.name == "userid"
    assert userid.make("partner01") == "partner01"
