"""Each failure has its class and its code; no text of it quotes what was sent."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.errors import AuthenticationError, SchemeError
from crypto_schemes.flynn import SCHEME, FlynnOptions, RekError, SensitiveValueError
from tests.crypto_schemes.flynn_failing import FAILURES, REK_TEXT, with_iv, with_rek
from tests.crypto_schemes.flynn_partner import ECB, IV, NOW, OPTIONS, request, server, wrap


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_class_and_code(name: str, rsa_2048: RSAPrivateKey) -> None:
    make, kind, code = FAILURES[name]
    sent = make(rsa_2048)
    with pytest.raises(SchemeError) as caught:
        SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=NOW)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert caught.value.what
    quoted = [text for text in sent.headers.values() if len(text) > 3 and text in str(caught.value)]
    assert not quoted


def test_everything_wrong_with_a_rek_reads_alike(rsa_2048: RSAPrivateKey) -> None:
    texts = set()
    for make, kind, code in FAILURES.values():
        if kind is RekError and code == "rek":
            with pytest.raises(RekError) as caught:
                SCHEME.open_request(make(rsa_2048), server(rsa_2048), OPTIONS, now=NOW)
            texts.add((caught.value.what, caught.value.fix, caught.value.code))
    assert len(texts) == 1


def test_a_token_before_its_last_second_and_at_it(rsa_2048: RSAPrivateKey) -> None:
    sent = request()
    end = NOW + 20 * 60
    SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=end - 0.001)
    with pytest.raises(AuthenticationError, match="expired"):
        SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=end)


def test_an_iv_of_a_writing_that_was_ruled_out(rsa_2048: RSAPrivateKey) -> None:
    sent = with_iv(lambda key: wrap(key, IV.hex().encode()))(rsa_2048)
    assert SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=NOW).payload["sensitive"]
    raw_only = FlynnOptions(iv_encoding="raw")
    with pytest.raises(SensitiveValueError):
        SCHEME.open_request(sent, server(rsa_2048), raw_only, now=NOW)


def test_a_rek_of_control_characters_is_none(rsa_2048: RSAPrivateKey) -> None:
    sent = request(rek__s=wrap(rsa_2048, b"\x00" * 16))
    with pytest.raises(RekError):
        SCHEME.open_request(sent, server(rsa_2048), FlynnOptions(rek_encoding="utf8"), now=NOW)


def test_without_any_key_everything_encrypted_is_refused(rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(RekError):
        SCHEME.open_request(with_rek(REK_TEXT)(rsa_2048), server(), OPTIONS, now=NOW)


def test_a_flow_without_an_organisation_serves_nobody(rsa_2048: RSAPrivateKey) -> None:
    nameless = replace(server(rsa_2048), identity={})
    with pytest.raises(AuthenticationError):
        SCHEME.open_request(request(org_id=""), nameless, OPTIONS, now=NOW)


def test_a_repr_shows_no_secret(rsa_2048: RSAPrivateKey) -> None:
    sent = request(rek__s=wrap(rsa_2048, REK_TEXT), irp_pwd__s=ECB.seal("p4ssw0rd"))
    opened = SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=NOW)
    shown = f"{opened!r} {opened.context!r} {sent!r} {opened.context.session!r}"
    assert not re.search(r"p4ssw0rd|defghij|eyJ", shown)
