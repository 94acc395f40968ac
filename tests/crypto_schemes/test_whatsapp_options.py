"""The options of a WhatsApp flow, and what its purposes look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crypto_schemes import registry
from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.keys import generate_material, parse_material
from crypto_schemes.whatsapp_flows import SCHEME
from crypto_schemes.whatsapp_flows.options import WhatsAppFlowsOptions
from tests.crypto_schemes.whatsapp_partner import DEFINITION


def test_the_defaults() -> None:
    options = WhatsAppFlowsOptions.from_mapping({})
    assert options.model_dump() == {
        "error_427_body": "sealed",
        "require_token_signature": False,
        "retry_window": 60,
        "flow_json": "",
        "summary_template": "",
        "phone_number_id": "",
        "meta_flow_id": "",
        "flow_message": "",
        "flow_cta": "Open",
        "first_screen": "",
        "fetch_media": False,
        "forward_updates": "none",
    }
    assert options.flow is None


def test_every_option_has_a_title_and_a_help_text() -> None:
    for field in WhatsAppFlowsOptions.model_fields.values():
        assert field.title
        assert field.description
        assert field.description.endswith(".")


@pytest.mark.parametrize(
    "values",
    [
        {"error_427_body": "plain"},
        {"require_token_signature": "on"},
        {"retry_window": 0},
        {"retry_window": 600},
        {"retry_window": "5"},
        {"flow_json": DEFINITION},
        {"flow_json": json.dumps(DEFINITION)},
        {"flow_json": " \n"},
        {"summary_template": "Thank you {name}."},
        {"phone_number_id": "106540352242922", "meta_flow_id": "200000000000002"},
        {"flow_message": "Book.", "flow_cta": "Book", "first_screen": "FIRST_SCREEN"},
        {"fetch_media": "on", "forward_updates": "all"},
    ],
)
def test_good_options(values: dict[str, Any]) -> None:
    options = WhatsAppFlowsOptions.from_mapping(values)
    # What was stored is read again.
    again = WhatsAppFlowsOptions.from_mapping(json.loads(options.model_dump_json()))
    assert again == options


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"error_427_body": "none"}, "error_427_body"),
        ({"require_token_signature": "maybe"}, "require_token_signature"),
        ({"retry_window": -1}, "retry_window"),
        ({"retry_window": 601}, "retry_window"),
        ({"flow_json": "{"}, "flow_json"),
        ({"flow_json": {"screens": []}}, "at least one screen"),
        ({"flow_json": {"a": object()}}, "flow_json"),
        ({"flow_json": "x" * 1_000_001}, "flow_json"),
        ({"summary_template": "{a.b}"}, "summary_template"),
        ({"summary_template": "x" * 4097}, "summary_template"),
        ({"phone_number_id": "+1 555"}, "phone_number_id"),
        ({"meta_flow_id": "a"}, "meta_flow_id"),
        ({"flow_cta": ""}, "flow_cta"),
        ({"flow_cta": "x" * 31}, "flow_cta"),
        ({"flow_message": "x" * 1025}, "flow_message"),
        ({"first_screen": "a b"}, "first_screen"),
        ({"forward_updates": "some"}, "forward_updates"),
        ({"window": 1}, "no such option"),
    ],
)
def test_bad_options_are_named(values: dict[str, Any], named: str) -> None:
    with pytest.raises(OptionsError, match=named):
        WhatsAppFlowsOptions.from_mapping(values)


def test_the_flow_json_is_parsed_once() -> None:
    options = WhatsAppFlowsOptions.from_mapping({"flow_json": DEFINITION})
    assert options.flow is not None
    assert set(options.flow.screens) == {"FIRST", "SECOND", "THIRD"}
    assert options.flow is options.flow


def test_the_scheme_is_registered() -> None:
    assert registry.get("whatsapp_flows") is SCHEME
    assert SCHEME.bundle == ("public_key_pem", "app_secret", "verify_token")
    names = [spec.credential_name for spec in SCHEME.purposes if spec.issued_at_creation]
    assert names == ["public_key_pem", "app_secret", "verify_token"]


def test_generated_tokens_have_their_forms() -> None:
    secret = parse_material(
        SCHEME.purpose("app_secret"), generate_material(SCHEME.purpose("app_secret")), trusted=False
    )
    assert isinstance(secret, str)
    assert len(bytes.fromhex(secret)) == 16
    token = parse_material(
        SCHEME.purpose("verify_token"),
        generate_material(SCHEME.purpose("verify_token")),
        trusted=False,
    )
    assert isinstance(token, str)
    assert len(token) == 32


@pytest.mark.parametrize("text", [b"a" * 8, b"a,b;c{d}e", b"~" * 128])
def test_imported_app_secrets_may_be_any_printable_text(text: bytes) -> None:
    assert parse_material(SCHEME.purpose("app_secret"), text, trusted=False) == text.decode()


@pytest.mark.parametrize(
    "text", [b"", b"a" * 7, b"a" * 129, b"with space", b"new\nline", b"\xc3\xa9" * 8]
)
def test_other_texts_are_no_app_secrets(text: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        parse_material(SCHEME.purpose("app_secret"), text, trusted=False)
