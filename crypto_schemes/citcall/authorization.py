"""The ``Authorization`` header of CitCall in its three forms.

Source: the vendor's v2 document (bare base64) and its later generation (``Apikey``);
``Basic`` is RFC 7617.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from crypto_schemes import base64_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.errors import AuthenticationError, SealError

#: Longer than any form of 64 + 1 + 32 characters, wrapped and indented.
_LIMIT: Final = 512
_CREDENTIALS = re.compile(r"([\x21-\x2b\x2d-\x39\x3b-\x7e]{1,64}):([\x21-\x7e]{1,128})")
_WORD = re.compile(r"\s*(basic|apikey)\s+(.*)", re.IGNORECASE | re.DOTALL | re.ASCII)
_TOKEN = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,128}")


class AuthorizationForm(StrEnum):
    """How an ``Authorization`` header names its sender."""

    BARE = "bare"  # base64(userid:apikey), no scheme word: version 2's own form
    BASIC = "basic"  # Basic base64(userid:apikey)
    API_KEY = "apikey"  # Apikey <apikey>, of the later generation


@dataclass(frozen=True, slots=True)
class Authorization:
    """What an ``Authorization`` header says. ``userid`` is None in the ``Apikey`` form."""

    form: AuthorizationForm
    userid: str | None
    api_key: str = field(repr=False)


def parse_authorization(value: str | None) -> Authorization:
    """Return the credentials in an ``Authorization`` header, unchecked.

    Takes bare ``base64(userid:apikey)``, ``Basic base64(userid:apikey)`` and
    ``Apikey <apikey>``; the words in any letter case, base64 in either alphabet, padded
    or not, folded or not. Raises AuthenticationError with the code
    ``no_authorization`` or ``bad_authorization``.
    """
    if value is None or not value.strip():
        raise AuthenticationError(
            "There is no Authorization header.",
            "Send base64(userid:apikey) in it.",
            code="no_authorization",
        )
    if len(value) > _LIMIT:
        raise _bad()
    form, rest = AuthorizationForm.BARE, value
    if found := _WORD.fullmatch(value):
        form, rest = AuthorizationForm(found[1].lower()), found[2]
    if form is AuthorizationForm.API_KEY:
        api_key = rest.strip()
        if not _TOKEN.fullmatch(api_key):
            raise _bad()
        return Authorization(form, None, api_key)
    try:
        text = base64_text.decode_any(rest, white_space=True).decode("ascii")
    except (Base64TextError, UnicodeDecodeError):
        raise _bad() from None
    credentials = _CREDENTIALS.fullmatch(text)
    if credentials is None:
        raise _bad()
    return Authorization(form, credentials[1], credentials[2])


def format_authorization(
    userid: str, api_key: str, form: AuthorizationForm = AuthorizationForm.BARE
) -> str:
    """Return the header that :func:`parse_authorization` reads. Raises SealError."""
    if form is AuthorizationForm.API_KEY:
        return f"Apikey {api_key}"
    try:
        text = base64_text.encode(f"{userid}:{api_key}".encode("ascii"))
    except UnicodeEncodeError:
        raise SealError("The userid and the API key must be ASCII.") from None
    return f"Basic {text}" if form is AuthorizationForm.BASIC else text


def _bad() -> AuthenticationError:
    return AuthenticationError(
        "The Authorization header is in none of the three forms.",
        "Send base64(userid:apikey) in it.",
        code="bad_authorization",
    )
