"""The search that finds no secret would find one, in each form and however it is wrapped."""

from __future__ import annotations

import base64
import html
import json
import secrets
import textwrap
from collections.abc import Callable
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core import signing

from tests.support.secrecy import (
    SHORTEST,
    forms,
    forms_of_der,
    forms_of_rsa,
    forms_of_text,
    search,
    unfolded,
)

pytestmark = pytest.mark.once

AROUND = b'{"a": "b", "c": '


def is_found(needles: set[bytes], data: bytes) -> bool:
    return search({"secret": needles}, {"place": unfolded(data)}) == {"secret in place"}


#: How a secret is written, and into what.
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda secret: AROUND + secret + AROUND,
    "hex": lambda secret: AROUND + secret.hex().encode() + AROUND,
    "HEX": lambda secret: AROUND + secret.hex().upper().encode() + AROUND,
    "bytea of COPY": lambda secret: b"7\t\\\\x" + secret.hex().encode() + b"\t\\N\n",
    "base64": lambda secret: AROUND + base64.b64encode(secret) + AROUND,
    "base64url": lambda secret: AROUND + base64.urlsafe_b64encode(secret) + AROUND,
    "base32": lambda secret: AROUND + base64.b32encode(secret) + AROUND,
    "base64 in HTML": lambda secret: html.escape(base64.b64encode(secret).decode()).encode(),
    "base64 in an address": lambda secret: quote(base64.b64encode(secret), safe="").encode(),
    "base64 in JSON with slashes": lambda secret: (
        base64.b64encode(secret).replace(b"/", b"\\/") + AROUND
    ),
    "base64 of more": lambda secret: base64.b64encode(secret + AROUND),
    "base64 of more, 1 before": lambda secret: base64.b64encode(b"x" + secret + AROUND),
    "base64 of more, 2 before": lambda secret: base64.b64encode(b"xy" + secret + AROUND),
    "base64 of more, 3 before": lambda secret: base64.b64encode(b"xyz" + secret + AROUND),
    "signed": lambda secret: signing.dumps({"x": base64.b64encode(secret).decode()}).encode(),
    "signed and packed": lambda secret: signing.dumps(
        {"x": base64.b64encode(secret).decode() * 20}, compress=True
    ).encode(),
}


@pytest.mark.parametrize("written", BYTES)
@pytest.mark.parametrize("length", [16, 20, 32, 33])
def test_bytes(written: str, length: int) -> None:
    secret = secrets.token_bytes(length)
    assert is_found(forms(secret), BYTES[written](secret))
    assert not is_found(forms(secret), BYTES[written](secrets.token_bytes(length)))


@pytest.mark.parametrize("length", range(SHORTEST, 40))
def test_wherever_it_lies(length: int) -> None:
    secret, other = secrets.token_bytes(length), secrets.token_bytes(length)
    for before in range(20):
        for after in range(20):
            data = bytes(before) + secret + bytes(after)
            assert search({"secret": {secret}}, {"place": data}) == {"secret in place"}
            assert search({"secret": {other}}, {"place": data}) == set()
            # All of it but the last byte, or the first, is not it.
            assert search({"secret": {secret + b"x", b"x" + secret}}, {"place": data}) == set()


TEXTS: dict[str, Callable[[str], bytes]] = {
    "as it is": lambda text: AROUND + text.encode() + AROUND,
    "JSON": lambda text: json.dumps({"x": text}).encode(),
    "HTML": lambda text: f'<input value="{html.escape(text)}">'.encode(),
    "address": lambda text: f"/x?y={quote(text)}".encode(),
    "log line": lambda text: json.dumps({"message": f"it was {text}"}).encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "hex": lambda text: text.encode().hex().encode(),
    "basic authorization": lambda text: base64.b64encode(f"somebody:{text}".encode()),
    "session": lambda text: signing.dumps({"a": 1, "b": text}).encode(),
}


@pytest.mark.parametrize("written", TEXTS)
@pytest.mark.parametrize("text", ["a+b/c=d&e <f>\"g'h", "correct horse battery", "x" * 8])
def test_texts(written: str, text: str) -> None:
    assert is_found(forms_of_text(text), TEXTS[written](text))
    assert not is_found(forms_of_text(text), TEXTS[written]("something else"))


@pytest.mark.parametrize("written", ["raw", "hex", "base64"])
def test_what_a_text_is_the_text_of(written: str) -> None:
    secret = secrets.token_bytes(24)
    for text in ("whsec_" + base64.b64encode(secret).decode(), secret.hex()):
        assert is_found(forms_of_text(text), BYTES[written](secret))
        assert is_found(forms_of_text(text), text.removeprefix("whsec_").encode())


@pytest.fixture(scope="module")
def pair() -> RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_private_keys(pair: RSAPrivateKey, form: PrivateFormat) -> None:
    der = pair.private_bytes(Encoding.DER, form, NoEncryption())
    pem = pair.private_bytes(Encoding.PEM, form, NoEncryption())
    needles = forms_of_rsa(pair)
    for data in (
        *(der, pem, der.hex().encode(), base64.b64encode(der), base64.urlsafe_b64encode(der)),
        *(json.dumps({"key": pem.decode()}).encode(), base64.b64encode(pem)),
        "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64)).encode(),
        str(pair.private_numbers().d).encode(),
    ):
        assert is_found(needles, data)
    # A piece is enough: one line out of the middle, one prime.
    assert is_found(needles, pem.splitlines()[18])
    prime = pair.private_numbers().p
    assert is_found(needles, prime.to_bytes(128, "big"))


def test_the_public_half_is_no_secret(pair: RSAPrivateKey) -> None:
    other = rsa.generate_private_key(65537, 2048)
    needles = forms_of_der(pair.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    assert needles == forms_of_rsa(pair)
    from cryptography.hazmat.primitives.serialization import PublicFormat  # noqa: PLC0415

    for encoding in (Encoding.PEM, Encoding.DER):
        public = pair.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        for data in (public, public.hex().encode(), base64.b64encode(public)):
            assert not is_found(needles, data)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert not is_found(needles, pem)


def test_what_is_found_is_not_shown() -> None:
    found = search({"password": forms_of_text("correct horse")}, {"log": b"it was correct horse"})
    assert found == {"password in log"}
