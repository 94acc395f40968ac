"""User tokens of Flynn: JSON Web Tokens (RFC 7519) signed HS256 with the flow's own key.

The vendor says that a token is a bare JWT, not what is in it. Ours says who, for which
organisations, until when, and until when it may be renewed. A session is what a log-in
begins and every renewal goes on with; that one was ended early, or that a user has too
many, is not in a token: whoever keeps the sessions looks ``session_id`` up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jwt

from crypto_schemes import base64_text, json_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import mac
from crypto_schemes.errors import AuthenticationError
from crypto_schemes.flynn.options import FlynnOptions
from crypto_schemes.json_text import JSONTextError
from crypto_schemes.keys import Credentials, KeyVersion

TOKEN_SIGNING = "token_signing"
PASSWORD = "password"
PORTAL_PASSWORD = "portal_password"

#: The only algorithm taken: a token can not choose another (RFC 8725 §3.1).
_ALGORITHM = "HS256"
_ISSUER = "theodore"
_LONGEST = 4096
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
#: What genuine tokens say, by digest; about a kilobyte each.
_genuine: dict[bytes, Claims] = {}
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says; times in Unix seconds.

    ``session_id`` is the same in every renewal, 32 hex digits; ``renewable_until`` the last
    second that one may reach; ``minutes`` the length that each gives.
    """

    user_id: str
    org_ids: tuple[str, ...]
    session_id: str
    token_id: str
    issued_at: int
    expires_at: int
    renewable_until: int
    minutes: int


@dataclass(frozen=True, slots=True)
class ReadToken:
    """The claims of a token that is in force, and the key version that signed it."""

    claims: Claims
    version: KeyVersion


def issue(
    user_id: str,
    org_ids: Sequence[str],
    credentials: Credentials,
    options: FlynnOptions,
    *,
    now: float,
    minutes: int | None = None,
) -> tuple[str, Claims]:
    """Return a new token and its claims.

    ``minutes`` is held between 1 and ``options.token_max_minutes``; None means
    ``options.token_minutes``. Raises KeyUnavailableError without an active signing key.
    """
    wanted = options.token_minutes if minutes is None else minutes
    length = max(1, min(wanted, options.token_max_minutes))
    start = int(now)
    claims = Claims(
        user_id=user_id,
        org_ids=tuple(org_ids),
        session_id=secrets.token_hex(16),
        token_id=secrets.token_hex(16),
        issued_at=start,
        expires_at=start + length * 60,
        renewable_until=start + length * 60 * options.token_renewal_factor,
        minutes=length,
    )
    return _write(claims, credentials), claims


def renew(claims: Claims, credentials: Credentials, *, now: float) -> tuple[str, Claims]:
    """Return a successor of a token in force, for the same session.

    It lasts as long as its predecessor did, but never past ``renewable_until``.
    Raises KeyUnavailableError without an active signing key.
    """
    start = int(now)
    renewed = replace(
        claims,
        token_id=secrets.token_hex(16),
        issued_at=start,
        expires_at=min(start + claims.minutes * 60, claims.renewable_until),
    )
    return _write(renewed, credentials), renewed


def read(token: str, credentials: Credentials, *, now: float) -> ReadToken:
    """Return the claims of ``token`` when an accepted key version signed it.

    Raises AuthenticationError: ``token_missing`` for an empty one, ``token_invalid``,
    ``token_expired`` (only for a genuine one).
    """
    if not token:
        raise AuthenticationError(
            "There is no user token.",
            "Log in and send the token in X-FLYNN-N-USER-TOKEN.",
            code="token_missing",
        )
    if len(token) > _LONGEST or not _FORM.fullmatch(token):
        raise _invalid()
    for version in credentials.accepted(TOKEN_SIGNING):
        claims = _verified(token, version)
        if claims is not None:
            if now >= claims.expires_at:
                raise AuthenticationError(
                    "The user token has expired.", "Log in again.", code="token_expired"
                )
            return ReadToken(claims, version)
    raise _invalid()


def claimed_org(token: str) -> str:
    """Return the first organisation a token names, without any proof; empty for none.

    Only good for finding the flow whose keys then prove it with :func:`read`.
    """
    if len(token) > _LONGEST or not _FORM.fullmatch(token):
        return ""
    try:
        contents = json_text.parse(base64_text.decode_any(token.split(".")[1]))
    except (Base64TextError, JSONTextError):
        return ""
    orgs = contents.get("orgs") if isinstance(contents, dict) else None
    first = orgs[0] if isinstance(orgs, list) and orgs else ""
    return first if isinstance(first, str) else ""


def match_secret(purpose: str, given: str, credentials: Credentials) -> KeyVersion | None:
    """Return the accepted version of a password that equals ``given``, or None.

    Every version is compared, in constant time.
    """
    versions = credentials.accepted(purpose)
    index = mac.equal_any([version.text for version in versions], given)
    return None if index is None else versions[index]


def _invalid() -> AuthenticationError:
    return AuthenticationError(
        "The user token is not one of ours.",
        "Send the token of the last log-in, bare, in X-FLYNN-N-USER-TOKEN.",
        code="token_invalid",
    )


def _write(claims: Claims, credentials: Credentials) -> str:
    contents = {
        "iss": _ISSUER,
        "sub": claims.user_id,
        "orgs": list(claims.org_ids),
        "sid": claims.session_id,
        "jti": claims.token_id,
        "iat": claims.issued_at,
        "exp": claims.expires_at,
        "end": claims.renewable_until,
        "min": claims.minutes,
    }
    return jwt.encode(contents, credentials.active(TOKEN_SIGNING).raw, algorithm=_ALGORITHM)


def _verified(token: str, version: KeyVersion) -> Claims | None:
    """Return the claims when ``version`` signed them; the clock is the caller's business.

    A client sends the same token with every request, and reading it costs as much as a query.
    So what was genuine is remembered, under a digest that only this key and token have.
    """
    name = hashlib.blake2b(token.encode("utf-8"), key=version.raw, digest_size=32).digest()
    known = _genuine.get(name)
    if known is None:
        contents = _read_verified(token, version)
        if contents is not None:
            known = _claims(contents)
            if len(_genuine) >= _MOST_REMEMBERED:
                _genuine.clear()
            _genuine[name] = known
    return known


def _read_verified(token: str, version: KeyVersion) -> dict[str, Any] | None:
    try:
        return jwt.decode(
            token,
            version.raw,
            algorithms=[_ALGORITHM],
            issuer=_ISSUER,
            options={
                "require": ["iss", "sub", "jti", "iat", "exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            },
        )
    # A header is parsed before its signature is checked, so it can be any JSON.
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _claims(contents: dict[str, Any]) -> Claims:
    """Return the claims; a genuine signature over other contents is other software's."""
    texts = [contents.get(name) for name in ("sub", "sid", "jti")]
    numbers = [contents.get(name) for name in ("iat", "exp", "end", "min")]
    orgs = contents.get("orgs")
    if (
        not isinstance(orgs, list)
        or not all(type(text) is str for text in (*texts, *orgs))
        or not all(type(number) is int for number in numbers)
    ):
        raise _invalid()
    return Claims(
        user_id=contents["sub"],
        org_ids=tuple(orgs),
        session_id=contents["sid"],
        token_id=contents["jti"],
        issued_at=contents["iat"],
        expires_at=contents["exp"],
        renewable_until=contents["end"],
        minutes=contents["min"],
    )
