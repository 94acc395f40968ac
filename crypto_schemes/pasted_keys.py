"""Secrets as people paste them, and what is wrong with them in plain words.

Each mistake that is commonly made has its own message, because one that only says "invalid"
costs an afternoon. None of them quotes what was pasted.
"""

from __future__ import annotations

import re
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError

_BEGIN: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----")
#: RFC 7468 §11 for PKCS#8; RFC 1421 §4.6.1.1 for the older form.
_ENCRYPTED: Final = ("ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")
#: RFC 4253 §6.6: how ssh-keygen writes public keys.
_SSH_PUBLIC: Final = ("ssh-", "ecdsa-")
_ONE_CLASS: Final = re.compile(r"\[[^\]]+\]\{(\d+)(?:,(\d+))?\}")
_WRITTEN_BREAKS: Final = (
    r"The text has \n written out instead of line breaks.",
    r"It was copied from a JSON or .env file: replace each \n with a real line break.",
)


def read_private_pem(text: str, passphrase: str, sizes: tuple[int, ...]) -> RSAPrivateKey:
    """Return the private key of a pasted PEM (PKCS#1 or PKCS#8), fully checked.

    ``sizes`` are the allowed bits. Raises KeyMaterialError with what is wrong and what to do.
    """
    text = text.strip()
    _refuse_what_is_no_private_pem(text)
    is_encrypted = any(mark in text for mark in _ENCRYPTED)
    if is_encrypted and not passphrase:
        raise KeyMaterialError(
            "This private key is protected by a passphrase, and none was given.",
            "Enter the passphrase too.",
        )
    if passphrase and not is_encrypted and "OPENSSH" not in text:
        raise KeyMaterialError(
            "A passphrase was given, but this private key has none.",
            "Leave the passphrase empty, or paste the protected key.",
        )
    try:
        key = rsa.load_private_pem(text, passphrase.encode("utf-8", "replace") or None)
    except KeyMaterialError:
        if is_encrypted:
            raise KeyMaterialError(
                "The passphrase does not open this private key.",
                "Check the passphrase, capitals and keyboard layout too.",
            ) from None
        raise
    _refuse_size(key.key_size, sizes)
    return key


def read_symmetric(title: str, text: str, sizes: tuple[int, ...]) -> bytes:
    """Return the bytes of a pasted key: base64 in either alphabet, or hex.

    ``sizes`` are the allowed bytes; hex is recognised by its length, which no base64 of an
    allowed size has. Raises KeyMaterialError.
    """
    text = text.strip()
    refuse_text_of_another_kind(title, text)
    if len(text) in {2 * size for size in sizes} and re.fullmatch(r"[0-9A-Fa-f]+", text):
        return bytes.fromhex(text)
    try:
        key = base64_text.decode_any(text, white_space=True)
    except base64_text.Base64TextError:
        raise KeyMaterialError(
            f"{title} must be written as base64 or hex.", "This text is neither."
        ) from None
    if len(key) not in sizes:
        allowed = " or ".join(map(str, sizes))
        raise KeyMaterialError(
            f"{title} must be {allowed} bytes; this text stands for {len(key)} bytes.",
            "Check that all of it was copied.",
        )
    return key


def read_token(title: str, text: str, pattern: str) -> bytes:
    """Return a pasted token as ASCII. ``pattern`` is what it must match.

    Raises KeyMaterialError.
    """
    text = text.strip()
    refuse_text_of_another_kind(title, text)
    try:
        stored = text.encode("ascii")
    except UnicodeEncodeError:
        raise KeyMaterialError(
            f"{title} must be plain ASCII text.",
            "Typographic quotes, dashes and invisible characters come from text processors: "
            "copy it from where it was issued.",
        ) from None
    if re.fullmatch(pattern, text):
        return stored
    if re.search(r"\s", text):
        raise KeyMaterialError(
            f"{title} has a blank or a line break inside.", "Copy it in one piece."
        )
    length = _ONE_CLASS.fullmatch(pattern)
    if length:
        least = int(length[1])
        most = int(length[2] or least)
        if not least <= len(text) <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise KeyMaterialError(
                f"{title} must have {wanted} characters; this text has {len(text)}.",
                "Check that all of it was copied, and nothing else.",
            )
    raise KeyMaterialError(f"{title} is not of the expected form.", f"It must match {pattern}.")


def refuse_text_of_another_kind(title: str, text: str) -> None:
    """Raise KeyMaterialError for nothing, a PEM, or a written-out line break at the end."""
    if not text:
        raise KeyMaterialError("Nothing was pasted.", f"Paste the {title}.")
    if _BEGIN.search(text):
        raise KeyMaterialError(f"This is a PEM text, which {title} is not.", "Paste the secret.")
    if text.endswith(r"\n"):
        raise KeyMaterialError(*_WRITTEN_BREAKS)


def _refuse_what_is_no_private_pem(text: str) -> None:
    if not text:
        raise KeyMaterialError(
            "Nothing was pasted.",
            "Paste the private key with its first and last line, -----BEGIN and -----END.",
        )
    begin = _BEGIN.search(text)
    label = begin[1] if begin else ""
    if "PUBLIC KEY" in label or text.startswith(_SSH_PUBLIC):
        raise KeyMaterialError(
            "This is a public key.",
            "Paste the private key of the pair: it begins with -----BEGIN PRIVATE KEY----- or "
            "-----BEGIN RSA PRIVATE KEY-----.",
        )
    if "CERTIFICATE" in label:
        raise KeyMaterialError(
            "This is a certificate, which holds a public key only.",
            "Paste the private key that belongs to it.",
        )
    if r"\n" in text:
        raise KeyMaterialError(*_WRITTEN_BREAKS)
    if not begin or not text.isascii():
        raise KeyMaterialError(
            "The text is not a readable RSA private key in PEM form.",
            "A PEM begins with -----BEGIN PRIVATE KEY----- and has ASCII characters only.",
        )
    if f"-----END {label}-----" not in text:
        raise KeyMaterialError(
            "The end of the private key is missing.",
            f"Copy it down to and including -----END {label}-----.",
        )


def _refuse_size(bits: int, sizes: tuple[int, ...]) -> None:
    allowed = " or ".join(map(str, sorted(sizes)))
    if bits < min(sizes):
        raise KeyMaterialError(
            f"The modulus is too small: {bits} bits, where {allowed} bits are needed.",
            f"Make a new key pair of {allowed} bits.",
        )
    if bits not in sizes:
        raise KeyMaterialError(
            f"The key must have {allowed} bits, not {bits}.",
            f"Make a new key pair of {allowed} bits.",
        )
