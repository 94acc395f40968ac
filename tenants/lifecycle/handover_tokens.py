"""The random token behind a hand-over link: made, written as a link, digested for the table."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from django.conf import settings
from django.urls import reverse

#: 256 bits: not to be guessed, so that the digest needs neither salt nor stretching.
_TOKEN_BYTES: Final = 32
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return a fresh token for a link."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def link_of(token: str) -> str:
    """Return the link of a token, which is its fragment: browsers send that to nobody."""
    return f"{settings.PUBLIC_URL}{reverse('handover')}#{token}"


def digest_of(token: str) -> str:
    """Return what is stored of a token: 64 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def is_token(text: str) -> bool:
    """Return whether ``text`` looks like a token."""
    return _TOKEN.fullmatch(text) is not None
