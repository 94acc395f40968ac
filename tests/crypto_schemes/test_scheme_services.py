"""What every scheme offers beside its cipher: addresses, secrets as text, options by name."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import keys, registry
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.keys import Kind, PurposeSpec

AES = PurposeSpec(name="k", kind=Kind.AES, title="K", help="", sizes=(32, 16))
TOKEN = PurposeSpec(name="t", kind=Kind.TOKEN, title="T", help="", sizes=(16,))
PAIR = PurposeSpec(name="r", kind=Kind.RSA, title="R", help="", sizes=(2048,))


@pytest.mark.parametrize(
    ("scheme", "path"),
    [
        ("kairos", "/kairos-apis/enc/outbound/create"),
        ("citcall", "/v2/asynccall"),
        ("isu", "/w1w2-payout/w1/cashtransfer"),
        ("whatsapp_flows", "/whatsapp/flows/Address01"),
        ("flynn", "/authenticate-with-secrets"),
    ],
)
def test_where_the_main_operation_is(scheme: str, path: str) -> None:
    contract = registry.get(scheme)
    assert contract.main_path("Address01", contract.options_type()) == path


def test_the_path_of_isu_is_a_setting() -> None:
    contract = registry.get("isu")
    options = contract.options_type.from_mapping({"payout_path": "/pay/out"})
    assert contract.main_path("Address01", options) == "/pay/out"


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_fresh_material_goes_through_text_and_back(scheme: str) -> None:
    contract = registry.get(scheme)
    options = contract.options_type()
    for spec in contract.all_purposes():
        if spec.kind is not Kind.RSA:
            stored = contract.new_material(spec, options)
            text = contract.material_to_text(spec, stored, options)
            assert contract.material_from_text(spec, f"\n{text} ", options) == stored


@pytest.mark.parametrize("encoding", ["base64", "hex", "utf8"])
def test_isu_writes_aes_keys_as_its_option_says(encoding: str) -> None:
    contract = registry.get("isu")
    options = contract.options_type.from_mapping({"key_encoding": encoding})
    spec = contract.purpose("isu_aes")
    stored = contract.new_material(spec, options)
    text = contract.material_to_text(spec, stored, options)
    assert len(stored) == 32
    assert len(text) == {"base64": 44, "hex": 64, "utf8": 32}[encoding]
    assert contract.material_from_text(spec, text, options) == stored


def test_of_a_pair_the_public_half_is_handed_over(rsa_2048: RSAPrivateKey) -> None:
    stored = rsa.private_to_der(rsa_2048)
    assert keys.material_to_text(PAIR, stored) == rsa.public_pem(rsa_2048)


@pytest.mark.parametrize(
    ("spec", "text", "why"),
    [
        (AES, "not base64!", "base64"),
        (AES, "AAAA", "bytes"),
        (AES, "", "Nothing"),
        (TOKEN, "kurz", "characters"),
        (TOKEN, "schlüsselwort", "ASCII"),
        (TOKEN, "", "Nothing"),
        (PAIR, "", "Nothing"),
        (PAIR, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "PEM"),
    ],
)
def test_text_that_is_no_material(spec: PurposeSpec, text: str, why: str) -> None:
    with pytest.raises(KeyMaterialError, match=why) as caught:
        keys.material_from_text(spec, text)
    assert not text or text not in str(caught.value)


def test_wrong_options_are_named_one_by_one() -> None:
    options = registry.get("isu").options_type
    with pytest.raises(OptionsError) as caught:
        options.from_mapping({"epoch_window": 1, "no_such": 2, "unpad": "never"})
    problems = dict(caught.value.problems)
    assert set(problems) == {"epoch_window", "no_such", "unpad"}
    assert problems["no_such"].startswith("there is no such option; known are callback_body")
    assert "greater than or equal to 10" in problems["epoch_window"]
    assert caught.value.code == "bad_options"
    assert all(f"{name}: {problems[name]}" in caught.value.what for name in problems)


def test_options_wrong_together_have_no_name() -> None:
    options = registry.get("isu").options_type
    with pytest.raises(OptionsError) as caught:
        options.from_mapping({"payout_path": "/a", "status_path": "/a"})
    assert [name for name, _ in caught.value.problems] == [""]


def test_an_entry_of_a_list_is_named_by_its_place() -> None:
    options = registry.get("kairos").options_type
    with pytest.raises(OptionsError) as caught:
        options.from_mapping({"test_phone_numbers": ["919812345678", "x"]})
    assert [name for name, _ in caught.value.problems] == ["test_phone_numbers"]
    assert caught.value.problems[0][1].startswith("1: ")
