"""How the sensitive headers of Flynn open.

Two failures, told apart on the wire
====================================
The contract names two: the REK does not open (:class:`RekError`), a value does not open
(:class:`SensitiveValueError`). A difference that depends on a private key can be an oracle
(Bleichenbacher 1998; Klíma, Pokorný and Rosa 2003), so:

* A sender learns one bit of the private key's work: whether the REK block held the text of
  an AES key. A block that was not wrapped for that passes with a chance of about 2^-130
  (``rek_encoding`` hex), 2^-80 (base64) or 2^-40 (utf8): too rare to lead anywhere. Wrong
  PKCS#1 padding, a block for another key and a block with another text have one answer.
  Besides, the RSA library rejects implicitly (:func:`crypto_schemes.ciphers.rsa.decrypt`):
  wrong padding gives an unpredictable text, the same for the same block.
* Whether the IV block held an IV is never told, as 16 bytes of any value are one and
  pass with 2^-25. A block without an IV behaves like one with a wrong IV
  (:func:`crypto_schemes.flynn.session.read_iv`). Only what shows without a key is refused
  outright: an IV that is missing, not base64 or not of the key's size.
* Both failures do the same work. A REK that does not open is replaced, all values go
  through AES and UTF-8 under the replacement, and only then is there an answer.

What no implementation can mend: AES has no integrity here, so the second error is a padding
oracle for whoever holds both a recorded request and a token in force; and a REK of 32 hex
digits can be passed off as an IV unless ``iv_encoding`` is raw. Tokens are checked before
any key is touched, and the rate of failures should be limited for each user.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from crypto_schemes import base64_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import rsa
from crypto_schemes.ciphers.rsa import RSADecryptionError, RSAPadding
from crypto_schemes.errors import EnvelopeError, OpenError
from crypto_schemes.flynn.options import FlynnOptions
from crypto_schemes.flynn.session import Mode, Session, read_iv, read_rek
from crypto_schemes.flynn.tokens import Claims
from crypto_schemes.keys import Credentials, KeyVersion

FLYNN_RSA = "flynn_rsa"

PLAIN = "x-flynn-n-"
SENSITIVE = "x-flynn-s-"
USER_TOKEN = "x-flynn-n-user-token"
MODE = "x-flynn-n-aes-encryption-mode"
#: A header's name without its prefix.
HEADER_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

#: Far above any operation's need; each costs an AES pass under every accepted key.
MAX_SENSITIVE = 16

#: A length that neither a REK nor an IV has in any writing.
_NO_TEXT = 61
_TEXT = re.compile(r"[\x20-\x7e]*")


class RekError(OpenError):
    """The REK is missing though something is encrypted under it, or does not open."""

    code = "rek"


class SensitiveValueError(OpenError):
    """A sensitive value does not open, or CBC came without an IV."""

    code = "value"


@dataclass(frozen=True, slots=True)
class FlynnContext:
    """``context`` of an opened request: who asks, and the REK session the request brought."""

    claims: Claims
    session: Session | None


@dataclass(frozen=True, slots=True)
class OpenedValues:
    """Texts by name without prefix; the session is None when no REK came."""

    session: Session | None
    texts: dict[str, str] = field(repr=False)
    opened_by: tuple[KeyVersion, ...] = ()


def plain_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the plain headers by name without prefix, but for user token and mode.

    Raises EnvelopeError (``header``) for a name or text outside printable ASCII.
    """
    plain = {
        name.removeprefix(PLAIN): text
        for name, text in headers.items()
        if name.startswith(PLAIN) and name not in (USER_TOKEN, MODE)
    }
    if not all(
        HEADER_NAME.fullmatch(name) and _TEXT.fullmatch(text) for name, text in plain.items()
    ):
        raise EnvelopeError(
            "A header X-FLYNN-N-* is not printable ASCII.",
            "Encrypt it or leave it out.",
            code="header",
        )
    return plain


def open_values(
    headers: Mapping[str, str], credentials: Credentials, options: FlynnOptions
) -> OpenedValues:
    """Open every ``X-FLYNN-S-*`` header under the REK of the request.

    The first accepted RSA key under which all of them open is taken; REK and IV must be
    wrapped for the same one. A REK on its own must open too; an IV on its own is ignored,
    as is one in ECB mode.

    Raises EnvelopeError (``mode``, ``header``), RekError or SensitiveValueError.
    """
    mode = _mode(headers.get(MODE, Mode.ECB))
    sealed = {
        name.removeprefix(SENSITIVE): text
        for name, text in headers.items()
        if name.startswith(SENSITIVE)
    }
    if len(sealed) > MAX_SENSITIVE or not all(map(HEADER_NAME.fullmatch, sealed)):
        raise EnvelopeError(
            "There are too many headers X-FLYNN-S-*, or one has an unusable name.", code="header"
        )
    rek_given, iv_given = "rek" in sealed, "iv" in sealed
    rek_block, iv_block = _block(sealed.pop("rek", "")), _block(sealed.pop("iv", ""))
    if not rek_given and not sealed:
        return OpenedValues(None, {})

    rek_opened = False
    for version in credentials.accepted(FLYNN_RSA):
        rek_fits, rek_text = _unwrap(version, rek_block, options.rsa_padding)
        key = read_rek(rek_text, options.rek_encoding)
        iv_fits, iv = True, b""
        if mode is Mode.CBC:
            iv_fits, iv_text = _unwrap(version, iv_block, options.rsa_padding)
            iv = read_iv(iv_text, options.iv_encoding)
        session = Session(key or secrets.token_bytes(32), mode, iv)
        attempts = {name: session.open(value) for name, value in sealed.items()}
        if key is None or not rek_fits:
            continue
        rek_opened = True
        texts = {name: text for name, text in attempts.items() if text is not None}
        if iv_fits and len(texts) == len(attempts):
            return OpenedValues(session, texts, (version,))
    if not rek_opened:
        raise RekError(
            "The REK does not open.",
            "Wrap the REK's text with the flow's current public key.",
            code="rek" if rek_given else "rek_missing",
        )
    raise SensitiveValueError(
        "A sensitive header does not open.",
        "Encrypt it with the REK's key in the mode that is announced; CBC needs its IV.",
        code="value" if iv_given or mode is Mode.ECB else "iv_missing",
    )


def _mode(text: str) -> Mode:
    try:
        return Mode(text.strip().upper())
    except ValueError:
        raise EnvelopeError(
            "X-FLYNN-N-AES-ENCRYPTION-MODE is neither ECB nor CBC.",
            "Send ECB or CBC, or leave it out for ECB.",
            code="mode",
        ) from None


def _block(text: str) -> bytes | None:
    try:
        return base64_text.decode_any(text, white_space=True)
    except Base64TextError:
        return None


def _unwrap(version: KeyVersion, block: bytes | None, padding: RSAPadding) -> tuple[bool, bytes]:
    """Return whether ``block`` is one for this key, and what it held.

    The first shows without a key. A block that is not gets a stand-in, and a padding
    that is reported wrong a text nobody knows, so that all ways cost the same.
    """
    key = version.rsa_private
    fits = block is not None and rsa.block_in_range(version.rsa_modulus, block)
    if block is None or not fits:
        # A leading zero keeps it below the modulus.
        block = b"\0" + secrets.token_bytes((key.key_size + 7) // 8 - 1)
    try:
        return fits, rsa.decrypt(key, block, padding)
    except RSADecryptionError:
        return fits, secrets.token_bytes(_NO_TEXT)
