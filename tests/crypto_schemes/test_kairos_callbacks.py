"""Callbacks: plain JSON, with HTTP Basic where the flow has a user name."""

from __future__ import annotations

import base64

import pytest

from crypto_schemes.errors import AuthenticationError, KeyUnavailableError
from crypto_schemes.kairos import CALLBACK_PASSWORD, SCHEME, KairosOptions
from crypto_schemes.keys import Credentials, KeyVersion, generate_material, parse_material
from tests.crypto_schemes.kairos_flow import NOW, OPTIONS

BASIC = KairosOptions(callback_username="geräte-süd")


def credentials(*passwords: str) -> Credentials:
    versions = tuple(
        KeyVersion(id=f"pw-{at}", purpose=CALLBACK_PASSWORD, version=at, material=password)
        for at, password in enumerate(passwords)
    )
    return Credentials(versions={CALLBACK_PASSWORD: versions} if versions else {})


def header(user: str, password: str) -> dict[str, str]:
    return {
        "authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    }


def test_a_user_name_adds_the_header() -> None:
    sealed = SCHEME.seal_callback({"body": {}}, credentials("new-pass:word", "old"), BASIC, now=NOW)
    assert sealed.body == b'{"body":{}}'
    assert dict(sealed.headers) == header("geräte-süd", "new-pass:word")


def test_without_a_user_name_there_is_no_header() -> None:
    sealed = SCHEME.seal_callback({"body": {}}, credentials("password"), OPTIONS, now=NOW)
    assert dict(sealed.headers) == {}


def test_a_user_name_without_a_password_is_an_error() -> None:
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_callback({"body": {}}, credentials(), BASIC, now=NOW)


@pytest.mark.parametrize("password", ["new-pass", "old-pass"])
def test_the_receiver_takes_every_accepted_password(password: str) -> None:
    opened = SCHEME.open_callback(
        b'{"body":1}',
        header("geräte-süd", password),
        credentials("new-pass", "old-pass"),
        BASIC,
        now=NOW,
    )
    assert opened == {"body": 1}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic"},
        {"authorization": "Bearer new-pass"},
        header("geräte-süd", "other"),
        header("other", "new-pass"),
        header("geräte-süd", ""),
    ],
)
def test_the_receiver_refuses_others(headers: dict[str, str]) -> None:
    for known in (credentials("new-pass"), credentials()):
        with pytest.raises(AuthenticationError) as refused:
            SCHEME.open_callback(b"{}", headers, known, BASIC, now=NOW)
        assert refused.value.code == "callback_basic"


def test_any_answer_acknowledges() -> None:
    for body in (b"", b"OK", b'{"status":"failed"}', b"\xff"):
        assert SCHEME.callback_acknowledged(body) is True


def test_a_generated_password_is_of_its_form() -> None:
    spec = SCHEME.purpose(CALLBACK_PASSWORD)
    made = generate_material(spec)
    assert len(made) == 32
    assert parse_material(spec, made, trusted=False) == made.decode()
