"""Options, purposes and identity: defaults, bounds, and what an administrator is told."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.kairos import RSA_KEY, SCHEME, SECURITY_ID, KairosOptions
from crypto_schemes.keys import generate_material, parse_material


def test_defaults() -> None:
    assert KairosOptions().model_dump(mode="json") == {
        "rsa_padding": "pkcs1v15",
        "rsa_bits": 4096,
        "encrypt_helper": None,
        "plain_requests": True,
        "partner_key_generation": False,
        "error_http_status": "always_200",
        "checksum_window": 86400,
        "test_phone_numbers": [],
        "valid_until": None,
        "balance": None,
        "international_calls": True,
        "country_code": "91",
        "callback_username": "",
    }


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("rsa_padding", "oaep_sha1", "oaep_sha1"),
        ("rsa_padding", "oaep_sha256", "oaep_sha256"),
        ("rsa_bits", "2048", 2048),
        ("rsa_bits", 3072, 3072),
        ("encrypt_helper", "on", True),
        ("encrypt_helper", "off", False),
        ("encrypt_helper", "", None),
        ("partner_key_generation", "on", True),
        ("error_http_status", "mirror", "mirror"),
        ("checksum_window", "60", 60),
        ("test_phone_numbers", "910000000001, +910000000002", ("910000000001", "+910000000002")),
        ("test_phone_numbers", ["910000000001"], ("910000000001",)),
        ("test_phone_numbers", "", ()),
        ("valid_until", "2030-12-31", date(2030, 12, 31)),
        ("valid_until", "", None),
        ("balance", "0", 0),
        ("balance", " ", None),
        ("international_calls", "off", False),
        ("country_code", "62", "62"),
        ("callback_username", "kairos-gw", "kairos-gw"),
    ],
)
def test_texts_of_forms_and_commands_are_read(name: str, given: Any, value: Any) -> None:
    assert getattr(KairosOptions.from_mapping({name: given}), name) == value


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rsa_padding", "none"),
        ("rsa_bits", 1024),
        ("rsa_bits", "big"),
        ("encrypt_helper", "perhaps"),
        ("partner_key_generation", None),
        ("error_http_status", "404"),
        ("checksum_window", 0),
        ("checksum_window", 366 * 86_400 + 1),
        ("test_phone_numbers", "12345"),
        ("test_phone_numbers", ["+91 00 000"]),
        ("test_phone_numbers", ["9" * 16]),
        ("valid_until", "31.12.2030"),
        ("balance", -1),
        ("country_code", "0"),
        ("country_code", "1234"),
        ("callback_username", "a:b"),
        ("callback_username", "a\nb"),
        ("callback_username", "x" * 129),
        ("checksum_windows", 5),
    ],
)
def test_what_is_out_of_bounds_is_named(name: str, given: Any) -> None:
    with pytest.raises(OptionsError) as refused:
        KairosOptions.from_mapping({name: given})
    assert name in refused.value.what


def test_every_option_has_its_help_text() -> None:
    for name, option in KairosOptions.model_fields.items():
        assert option.title, name
        assert option.description and option.description.endswith("."), name


def test_options_survive_being_stored() -> None:
    options = KairosOptions.from_mapping(
        {"test_phone_numbers": "910000000001", "valid_until": "2030-12-31", "balance": 5}
    )
    assert KairosOptions.from_mapping(options.model_dump(mode="json")) == options


def test_purposes_and_bundle() -> None:
    assert [spec.name for spec in SCHEME.purposes if spec.issued_at_creation] == [
        "kairos_rsa",
        "security_id",
    ]
    assert SCHEME.bundle == ("flow_id", "security_id", "public_key_pem")
    assert SCHEME.purpose(RSA_KEY).credential_name == "public_key_pem"
    assert SCHEME.located_by == "flow_id"


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_the_option_picks_the_size_of_a_new_pair(bits: int) -> None:
    options = KairosOptions.from_mapping({"rsa_bits": bits})
    assert SCHEME.key_size(SCHEME.purpose(RSA_KEY), options) == bits
    assert SCHEME.key_size(SCHEME.purpose(SECURITY_ID), options) == 32


def test_a_security_id_is_64_hex_digits() -> None:
    spec = SCHEME.purpose(SECURITY_ID)
    made = generate_material(spec)
    assert len(made) == 64
    assert parse_material(spec, made, trusted=False) == made.decode()
    for bad in (made[:-1], made + b"0", b"g" * 64, made + b"\n"):
        with pytest.raises(KeyMaterialError):
            parse_material(spec, bad, trusted=False)


def test_the_flow_id_is_the_address_where_it_can_be() -> None:
    field = SCHEME.identity[0]
    assert field.make("Kx92LmQ7") == "Kx92LmQ7"
    for address in ("", "kairos-1", "Kx92LmQ78", "Kx92Lm٣7"):
        made = field.make(address)
        assert len(made) == 8
        assert made.isascii()
        assert made.isalnum()
    assert field.make("") != field.make("")
