"""The three forms of the Authorization header."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_schemes.citcall import (
    Authorization,
    AuthorizationForm,
    format_authorization,
    parse_authorization,
)
from crypto_schemes.errors import AuthenticationError, SealError
from tests.crypto_schemes.citcall_partner import KEY, USERID

ENCODED = base64.b64encode(f"{USERID}:{KEY}".encode()).decode()
BARE, BASIC, APIKEY = AuthorizationForm.BARE, AuthorizationForm.BASIC, AuthorizationForm.API_KEY


@pytest.mark.parametrize(
    ("header", "form", "userid"),
    [
        (ENCODED, BARE, USERID),
        (f" {ENCODED} ", BARE, USERID),
        (ENCODED.rstrip("="), BARE, USERID),
        (f"{ENCODED[:20]}\r\n {ENCODED[20:]}", BARE, USERID),
        (f"{ENCODED[:20]} {ENCODED[20:]}\n", BARE, USERID),
        (f"Basic {ENCODED}", BASIC, USERID),
        (f"basic {ENCODED}", BASIC, USERID),
        (f"BASIC\t {ENCODED[:20]}\n\t{ENCODED[20:]}", BASIC, USERID),
        (f"Apikey {KEY}", APIKEY, None),
        (f"APIKEY  {KEY} ", APIKEY, None),
        (f"apikey {KEY}", APIKEY, None),
    ],
)
def test_forms_that_are_read(header: str, form: AuthorizationForm, userid: str | None) -> None:
    assert parse_authorization(header) == Authorization(form, userid, KEY)


def test_both_base64_alphabets_are_read() -> None:
    text = "a?>~:" + KEY
    url, standard = base64.urlsafe_b64encode(text.encode()), base64.b64encode(text.encode())
    assert url != standard
    expected = Authorization(BARE, "a?>~", KEY)
    assert parse_authorization(url.decode()) == parse_authorization(standard.decode()) == expected


def test_the_first_colon_divides() -> None:
    assert parse_authorization(base64.b64encode(b"u:k:k").decode()).api_key == "k:k"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Apikey",
        "Apikey two words",
        f"Apikey {KEY},{KEY}",
        f"Apikey{KEY}x",
        "Apikey Zoë",
        f"Bearer {ENCODED}",
        f"Digest {KEY}",
        f"{ENCODED}, {ENCODED}",
        f"Basic Basic {ENCODED}",
        "x",
        "====",
        encoded("no-colon"),
        encoded(":" + KEY),
        encoded(USERID + ":"),
        encoded(f"a b:{KEY}"),
        encoded(f"a,b:{KEY}"),
        encoded(f"Zoë:{KEY}"),
        encoded(f"{USERID}:{KEY}\n"),
        encoded(f"{USERID}\x00:{KEY}"),
        encoded("x" * 65 + ":" + KEY),
        encoded("u:" + "k" * 129),
        ENCODED + " " * 600,
        "Zoë",
        "\ud800",
    ],
)
def test_anything_else_is_refused(header: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        parse_authorization(header)
    assert caught.value.code == "bad_authorization"


@pytest.mark.parametrize("header", [None, "", " \t"])
def test_none_at_all_is_said_so(header: str | None) -> None:
    with pytest.raises(AuthenticationError) as caught:
        parse_authorization(header)
    assert caught.value.code == "no_authorization"


@pytest.mark.parametrize("form", list(AuthorizationForm))
def test_what_is_written_is_read(form: AuthorizationForm) -> None:
    userid = None if form is APIKEY else USERID
    header = format_authorization(USERID, KEY, form)
    assert parse_authorization(header) == Authorization(form, userid, KEY)


def test_what_is_not_ascii_is_not_written() -> None:
    with pytest.raises(SealError):
        format_authorization("Zoë", KEY)


def test_repr_hides_the_key() -> None:
    assert KEY not in repr(parse_authorization(ENCODED))


@given(st.text(max_size=80))
def test_no_text_raises_anything_else(header: str) -> None:
    try:
        parse_authorization(header)
    except AuthenticationError as error:
        assert error.code in {"no_authorization", "bad_authorization"}
