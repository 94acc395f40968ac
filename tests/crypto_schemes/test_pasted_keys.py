"""Every mistake commonly made when a secret is pasted has its own words."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_schemes import flynn, isu, kairos, registry, whatsapp_flows
from crypto_schemes.errors import KeyMaterialError
from crypto_schemes.keys import Kind, PurposeSpec, material_from_text, material_to_text
from tests.support.test_keys import committed_rsa_key

RSA = whatsapp_flows.SCHEME.purpose("whatsapp_rsa")
AES = flynn.SCHEME.purpose("token_signing")
TOKEN = whatsapp_flows.SCHEME.purpose("app_secret")
SECURITY_ID = kairos.SCHEME.purpose("security_id")
PAIR = committed_rsa_key(2048)
DER = PAIR.private_bytes(
    serialization.Encoding.DER, PrivateFormat.PKCS8, serialization.NoEncryption()
)


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = PAIR,
    form: PrivateFormat = PrivateFormat.PKCS8,
    passphrase: bytes = b"",
) -> str:
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, form, protection).decode()


def public(form: serialization.PublicFormat, encoding: serialization.Encoding) -> str:
    return PAIR.public_key().public_bytes(encoding, form).decode()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("passphrase", ["", "open sésame"])
def test_a_private_key_in_either_form(form: PrivateFormat, passphrase: str) -> None:
    text = pem(form=form, passphrase=passphrase.encode())
    assert material_from_text(RSA, f"\r\n {text} \n", passphrase) == DER
    assert material_from_text(RSA, text.replace("\n", "\r\n"), passphrase) == DER


PUBLIC = serialization.PublicFormat
WRITTEN = serialization.Encoding
CASES = {
    "nothing": (" \n", "", "Nothing was pasted."),
    "public": (public(PUBLIC.SubjectPublicKeyInfo, WRITTEN.PEM), "", "This is a public key."),
    "public, PKCS#1": (public(PUBLIC.PKCS1, WRITTEN.PEM), "", "This is a public key."),
    "public, ssh": (public(PUBLIC.OpenSSH, WRITTEN.OpenSSH), "", "This is a public key."),
    "written-out breaks": (
        pem().replace("\n", "\\n"),
        "",
        r"The text has \n written out instead of line breaks.",
    ),
    "no passphrase": (
        pem(passphrase=b"right"),
        "",
        "This private key is protected by a passphrase, and none was given.",
    ),
    "wrong passphrase": (
        pem(passphrase=b"right"),
        "wrong",
        "The passphrase does not open this private key.",
    ),
    "wrong passphrase, PKCS#1": (
        pem(form=PrivateFormat.TraditionalOpenSSL, passphrase=b"right"),
        "wrong",
        "The passphrase does not open this private key.",
    ),
    "needless passphrase": (
        pem(),
        "any",
        "A passphrase was given, but this private key has none.",
    ),
    "too small": (
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        "",
        "The modulus is too small: 1024 bits, where 2048 bits are needed.",
    ),
    "too large": (pem(committed_rsa_key(4096)), "", "The key must have 2048 bits, not 4096."),
    "another kind": (
        pem(ec.generate_private_key(ec.SECP256R1())),
        "",
        "The key is not an RSA key.",
    ),
    "cut off": (pem()[:-30], "", "The end of the private key is missing."),
    "damaged": (
        pem().replace("\nM", "\nA", 1),
        "",
        "The text is not a readable RSA private key in PEM form.",
    ),
    "base64 only": (
        base64.b64encode(DER).decode(),
        "",
        "The text is not a readable RSA private key in PEM form.",
    ),
    "half a character": (
        "-----BEGIN PRIVATE KEY-----\ud83d\n-----END PRIVATE KEY-----",
        "",
        "The text is not a readable RSA private key in PEM form.",
    ),
}


@pytest.mark.parametrize(("text", "passphrase", "what"), CASES.values(), ids=CASES)
def test_what_is_wrong_with_a_private_key(text: str, passphrase: str, what: str) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        material_from_text(RSA, text, passphrase)
    assert caught.value.what == what


def test_a_certificate() -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "partner")])
    made = (
        x509.CertificateBuilder(name, name, PAIR.public_key(), 7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2026, 1, 1, tzinfo=UTC))
        .sign(PAIR, hashes.SHA256())
    )
    text = made.public_bytes(WRITTEN.PEM).decode()
    with pytest.raises(KeyMaterialError, match="This is a certificate"):
        material_from_text(RSA, text)


KEY = bytes(range(32))


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        KEY.hex(),
        KEY.hex().upper(),
    ],
)
def test_a_symmetric_key_in_base64_or_hex(text: str) -> None:
    assert material_from_text(AES, f" {text}\n") == KEY


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Nothing was pasted."),
        (base64.b64encode(KEY[:16]).decode(), "this text stands for 16 bytes."),
        (KEY[:31].hex(), "this text stands for 46 bytes."),
        ("not, base64", "must be written as base64 or hex."),
        (pem(), "This is a PEM text"),
        (base64.b64encode(KEY).decode() + r"\n", r"The text has \n written out"),
    ],
)
def test_what_is_wrong_with_a_symmetric_key(text: str, what: str) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        material_from_text(AES, text)
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("encoding", "text", "what"),
    [
        ("base64", KEY.hex(), "not 32 bytes written as base64: these are hex digits."),
        ("hex", base64.b64encode(KEY).decode(), "not 32 bytes written as hex: this is base64."),
        ("utf8", KEY.hex(), "not 32 bytes written as utf8: these are hex digits."),
        ("hex", KEY[:16].hex(), "written as hex: this text stands for 16 bytes."),
        ("base64", "AAAA", "written as base64: this text stands for 3 bytes."),
        ("utf8", "short", "written as utf8: this text stands for 5 bytes."),
        ("hex", "xyz", "not 32 bytes written as hex."),
        ("base64", "", "Nothing was pasted."),
        ("utf8", pem(), "This is a PEM text"),
    ],
)
def test_what_is_wrong_with_a_key_whose_form_is_an_option(
    encoding: str, text: str, what: str
) -> None:
    options = isu.IsuOptions.from_mapping({"key_encoding": encoding})
    with pytest.raises(KeyMaterialError) as caught:
        isu.SCHEME.material_from_text(isu.SCHEME.purpose("isu_aes"), text, options)
    assert what in caught.value.what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "Nothing was pasted."),
        ("0123 4567 89ab cdef", "App secret has a blank or a line break inside."),
        ("short", "App secret must have 8 to 128 characters; this text has 5."),
        ("x" * 129, "App secret must have 8 to 128 characters; this text has 129."),
        ("“0123456789abcdef”", "App secret must be plain ASCII text."),
        ("half a pair \ud83d", "App secret must be plain ASCII text."),
        (r"0123456789abcdef\n", r"The text has \n written out instead of line breaks."),
        (pem(), "This is a PEM text, which App secret is not."),
    ],
)
def test_what_is_wrong_with_a_token(text: str, what: str) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        material_from_text(TOKEN, text)
    assert caught.value.what == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("0" * 63, "Security id must have 64 characters; this text has 63."),
        ("g" * 64, "Security id is not of the expected form."),
    ],
)
def test_a_token_of_one_length(text: str, what: str) -> None:
    with pytest.raises(KeyMaterialError) as caught:
        material_from_text(SECURITY_ID, text)
    assert caught.value.what == what


EVERY = [spec for scheme in registry.all_schemes() for spec in scheme.all_purposes()]


@settings(max_examples=40)
@given(text=st.text(max_size=80), spec=st.sampled_from(EVERY))
def test_anything_is_taken_or_refused_without_being_quoted(text: str, spec: PurposeSpec) -> None:
    try:
        stored = material_from_text(spec, text)
    except KeyMaterialError as error:
        given_text = text.strip()
        assert len(given_text) < 20 or given_text not in str(error)
        return
    assert material_to_text(spec, stored)
    assert spec.kind is not Kind.RSA
