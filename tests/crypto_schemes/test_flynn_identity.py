"""Identities, key sizes and options of a flow."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from crypto_schemes import registry
from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.flynn import SCHEME, FlynnOptions, Mode, Session
from crypto_schemes.flynn import gstin as tax_number
from crypto_schemes.keys import generate_material, parse_material

ADDRESS = "9b2f6f0a-54f1-4d5c-8f0e-1c2d3e4f5a6b"


def made(name: str, address: str) -> str:
    (field,) = [field for field in SCHEME.identity if field.name == name]
    value = field.make(address)
    assert re.fullmatch(field.pattern, value), value
    return value


def test_the_scheme_is_registered() -> None:
    assert registry.get("flynn") is SCHEME
    assert SCHEME.located_by == "org_id"
    assert SCHEME.main_path(ADDRESS, FlynnOptions()) == "/authenticate-with-secrets"
    assert SCHEME.bundle == (
        "org_id",
        "handle",
        "password",
        "public_key_pem",
        "gstin",
        "portal_username",
        "portal_password",
    )


def test_the_organisation_is_the_address_where_that_is_a_uuid() -> None:
    assert made("org_id", ADDRESS) == ADDRESS
    for other in ("acme", ADDRESS.upper(), ADDRESS.replace("-", ""), "", "{" + ADDRESS + "}"):
        fresh = made("org_id", other)
        assert uuid.UUID(fresh).version == 4
        assert fresh != made("org_id", other)


@pytest.mark.parametrize(
    ("address", "handle"),
    [
        ("acme", "acme@flynn.example"),
        ("Acme_North.2", "acme-north-2@flynn.example"),
        ("--x--", "x@flynn.example"),
        ("a" * 63 + "-b", "a" * 63 + "@flynn.example"),
        (ADDRESS, ADDRESS + "@flynn.example"),
    ],
)
def test_the_handle_is_made_of_the_address(address: str, handle: str) -> None:
    assert made("handle", address) == handle


def test_a_handle_of_nothing_is_random() -> None:
    assert made("handle", "___") != made("handle", "___")


def test_made_tax_numbers_are_valid_and_differ() -> None:
    numbers = {made("gstin", "acme") for _ in range(200)}
    assert len(numbers) > 190
    assert all(map(tax_number.is_valid, numbers))


def test_the_check_character_by_hand() -> None:
    # Every second value doubled: 2 + 14 + 10 + 20 + 25 + 30 + 30 + 0 + 9 + 6 + 9 + 30 + 1, and
    # 70, which is 1·36 + 34 and counts 1 + 34; in all 221. 221 + 31 is 7·36, and 31 is V.
    assert tax_number.check_character("27AAPFU0939F1Z") == "V"
    assert tax_number.check_character("0" * 14) == "0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "27AAPFU0939F1ZW",
        "27AAPFU0939F1Z",
        "27AAPFU0939F1ZVV",
        "27aapfu0939f1zv",
        "00AAPFU0939F1ZV",
        "72AAPFU0939F1ZV",
        "27AAPFU0939F0ZV",
        "27AAPFU0939F1AV",
        "27AAPFU0939F1ZV\n",
        "२७AAPFU0939F1ZV",
    ],
)
def test_what_is_no_tax_number(text: str) -> None:
    assert tax_number.is_valid("27AAPFU0939F1ZV")
    assert not tax_number.is_valid(text)


def test_one_changed_character_is_noticed() -> None:
    good = tax_number.make()
    changed = [
        good[:at] + character + good[at + 1 :]
        for at in range(2, 14)
        for character in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        if character != good[at]
    ]
    assert not any(map(tax_number.is_valid, changed))


def test_portal_user_names_differ() -> None:
    assert made("portal_username", "acme") != made("portal_username", "acme")


@pytest.mark.parametrize("name", ["password", "portal_password", "token_signing"])
def test_made_secrets_parse(name: str) -> None:
    spec = SCHEME.purpose(name)
    first, second = generate_material(spec), generate_material(spec)
    assert first != second
    parse_material(spec, first, trusted=False)
    assert {"password": 24, "portal_password": 16, "token_signing": 32}[name] == len(first)


def test_sizes_of_key_pairs() -> None:
    sizes = {
        spec.name: (SCHEME.key_size(spec, FlynnOptions(rsa_bits=3072)), spec.shared)
        for spec in SCHEME.purposes
    }
    assert sizes == {
        "password": (18, True),
        "portal_password": (12, True),
        "flynn_rsa": (3072, True),
        "token_signing": (32, False),
        "document_signing": (2048, False),
    }


def test_a_session_has_its_sizes() -> None:
    for key, mode, iv in (
        (b"k" * 15, Mode.ECB, b""),
        (b"k" * 16, Mode.ECB, b"i" * 16),
        (b"k" * 16, Mode.CBC, b""),
        (b"k" * 16, Mode.CBC, b"i" * 15),
    ):
        with pytest.raises(KeyMaterialError):
            Session(key, mode, iv)
    assert Session.fresh(Mode.CBC, size=24) != Session.fresh(Mode.CBC, size=24)


def test_the_defaults() -> None:
    assert FlynnOptions().model_dump() == {
        "rsa_padding": "pkcs1v15",
        "rsa_bits": 2048,
        "rek_encoding": "hex",
        "iv_encoding": "any",
        "v1_data_as_string": True,
        "token_minutes": 20,
        "token_max_minutes": 360,
        "token_renewal_factor": 6,
        "max_sessions": 10,
        "max_failed_openings": 100,
        "portal_session_minutes": 360,
    }


@pytest.mark.parametrize("name", FlynnOptions.model_fields)
def test_each_option_is_explained(name: str) -> None:
    field = FlynnOptions.model_fields[name]
    assert field.title
    assert field.description
    assert field.description.endswith(".")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"rsa_padding": "none"}, "rsa_padding"),
        ({"rsa_bits": 1024}, "rsa_bits"),
        ({"rek_encoding": "raw"}, "rek_encoding"),
        ({"iv_encoding": "utf8"}, "iv_encoding"),
        ({"token_minutes": 0}, "token_minutes"),
        ({"token_minutes": 60, "token_max_minutes": 30}, "token_max_minutes"),
        ({"token_max_minutes": 100_000}, "token_max_minutes"),
        ({"token_renewal_factor": 0}, "token_renewal_factor"),
        ({"max_sessions": 0}, "max_sessions"),
        ({"portal_session_minutes": -1}, "portal_session_minutes"),
        ({"no_such": 1}, "no_such"),
    ],
)
def test_what_is_out_of_range_is_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        FlynnOptions.from_mapping(values)
