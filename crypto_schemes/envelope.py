"""What goes in and out of a scheme: small, frozen, with secrets kept out of ``repr``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import KeyVersion


@dataclass(frozen=True, slots=True)
class SealedRequest:
    """A request as it travels: body bytes and headers.

    Header names are lower case with ``-`` between words, whatever was sent
    (``pass_key`` arrives as ``pass-key``); values are as sent.
    ``context`` is filled by the client side only (what it needs to open the reply)
    and never travels.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    context: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """An authenticated and decrypted request.

    ``raw`` is the exact JSON text the partner sealed and ``payload`` its value.
    ``opened_by`` lists the key versions that did the opening. ``issued_at`` is the
    sender's clock in Unix seconds where the contract carries one; ``once`` the bytes
    that must not be seen twice where it forbids a replay. ``context`` is what
    ``seal_reply`` needs (session key, nonce) and is opaque to everybody else.
    """

    payload: JSONValue = field(repr=False)
    raw: bytes = field(repr=False)
    opened_by: tuple[KeyVersion, ...] = ()
    issued_at: float | None = None
    once: bytes | None = field(default=None, repr=False)
    context: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SealedReply:
    """A reply as it travels back."""

    body: bytes = field(repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class SealedCallback:
    """A message from the server to the partner's callback address."""

    body: bytes = field(repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
