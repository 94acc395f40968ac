"""The envelope and the cipher of Kairos, as :mod:`crypto_schemes.kairos` describes them."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text, json_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.ciphers.rsa import RSADecryptionError, RSAPadding
from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import EnvelopeError, OpenError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import KeyVersion
from crypto_schemes.scheme import write_json

FLOW_ID_MEMBER: Final = "flow-id"
ENCRYPTED_MEMBER: Final = "requestEncryptedValue"
WRAPPED_KEY_MEMBER: Final = "requestDigitalSignatureValue"

FLOW_ID_FORM: Final = re.compile(r"[A-Za-z0-9]{8}")
#: Steps of opening in the order they happen, as named in ``OpenError.code``.
STEPS: Final = (
    "base64",
    "rsa",
    "wrapped_key",
    "cipher_length",
    "padding",
    "inner_base64",
    "json",
)
#: Steps that fail, too, where the RSA block held something else than the text of a key.
_AFTER_THE_KEY: Final = frozenset(("padding", "inner_base64", "json"))


@dataclass(frozen=True, slots=True)
class KairosEnvelope:
    """The outer JSON of a sealed request.

    ``encrypted_value`` and ``wrapped_key`` are base64 as sent, or None where the member is
    missing or not a string: whose flow it is must be known before that is answered.
    """

    flow_id: str
    encrypted_value: str | None = field(repr=False)
    wrapped_key: str | None = field(repr=False)

    def as_body(self) -> bytes:
        """Return the envelope as it travels."""
        return write_json(
            {
                ENCRYPTED_MEMBER: self.encrypted_value,
                WRAPPED_KEY_MEMBER: self.wrapped_key,
                FLOW_ID_MEMBER: self.flow_id,
            }
        )


def read_envelope(body: bytes) -> KairosEnvelope:
    """Return the outer envelope of ``body``; nothing is decrypted.

    Raises EnvelopeError with code ``envelope_json`` (not strict JSON),
    ``envelope_shape`` (not an object) or ``flow_id`` (missing or not 8 alphanumerics).
    """
    members = _read_object(body)
    encrypted, wrapped = members.get(ENCRYPTED_MEMBER), members.get(WRAPPED_KEY_MEMBER)
    return KairosEnvelope(
        flow_id=_read_flow_id(members),
        encrypted_value=encrypted if isinstance(encrypted, str) else None,
        wrapped_key=wrapped if isinstance(wrapped, str) else None,
    )


def read_plain(body: bytes) -> OpenedRequest:
    """Return an unencrypted request, as the plain addresses take it.

    ``context`` is its flow-id. Raises EnvelopeError as :func:`read_envelope` does.
    """
    members = _read_object(body)
    return OpenedRequest(payload=members, raw=body, once=body, context=_read_flow_id(members))


def aes_key(wrapped: bytes) -> bytes:
    """Return the 16-byte AES key that the base64 text of a key string stands for."""
    return hashlib.sha256(wrapped).digest()[:16]


def encrypt_value(raw: bytes, key_string: str) -> str:
    """Return the ``requestEncryptedValue`` of the JSON text ``raw`` under ``key_string``."""
    wrapped = base64_text.encode(key_string.encode("utf-8")).encode("ascii")
    text = base64_text.encode(raw).encode("ascii")
    return base64_text.encode(aes.ecb_encrypt(aes_key(wrapped), text))


def decrypt_value(encrypted_value: str, key_string: str) -> bytes:
    """Return the JSON text inside ``encrypted_value``, for whoever holds the key string.

    A tool for the sending side; the server never opens this way. Raises OpenError.
    """
    wrapped = base64_text.encode(key_string.encode("utf-8")).encode("ascii")
    try:
        ciphertext = base64_text.decode(encrypted_value, white_space=True)
        padded, text = aes.ecb_decrypt(aes_key(wrapped), ciphertext)
        if not padded:
            raise OpenError("The value cannot be opened with this key string.", code="padding")
        return base64_text.decode(text, white_space=True)
    except (Base64TextError, aes.AESDecryptionError):
        raise OpenError("The value cannot be opened with this key string.") from None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one key version made of a request; ``failed`` names the first step that failed."""

    failed: str | None
    raw: bytes = field(repr=False)
    value: JSONValue = field(repr=False)


def attempt(
    version: KeyVersion, encrypted_value: str, wrapped_key: str, rsa_padding: RSAPadding
) -> Attempt:
    """Try one key version. A step that fails hands a stand-in to the next: no step is saved."""
    key = version.rsa_private
    failures: list[str] = []

    block, ciphertext = _decoded(wrapped_key), _decoded(encrypted_value)
    if block is None or ciphertext is None:
        failures.append("base64")
    if block is None or not rsa.block_in_range(version.rsa_modulus, block):
        failures.append("rsa")
        block = _stand_in_block(key)
    try:
        wrapped = rsa.decrypt(key, block, rsa_padding)
    except RSADecryptionError:
        failures.append("rsa")
        wrapped = secrets.token_bytes(aes.BLOCK)

    is_key_text = _decoded(wrapped) is not None
    ciphertext = ciphertext or b""
    whole = len(ciphertext) - len(ciphertext) % aes.BLOCK
    if not whole or whole != len(ciphertext):
        failures.append("cipher_length")
    padded, text = aes.ecb_decrypt(aes_key(wrapped), ciphertext[:whole] or bytes(aes.BLOCK))
    if not padded:
        failures.append("padding")

    raw = _decoded(text)
    if raw is None:
        failures.append("inner_base64")
        # Base64 of blanks and a 0: as long as the text was, and JSON.
        raw = base64_text.decode(b"ICAg" * (len(text) // 4) + b"MA==")
    try:
        value = json_text.parse(raw)
    except JSONTextError:
        failures.append("json")
        value = None
    failed = failures[0] if failures else None
    if failed in _AFTER_THE_KEY and not is_key_text:
        # Whatever was wrapped is a key if the value opens under it: this names a failure only.
        failed = "wrapped_key"
    return Attempt(failed=failed, raw=raw, value=value)


def _stand_in_block(key: RSAPrivateKey) -> bytes:
    """Return a random block the key will work on: a leading zero keeps it below the modulus."""
    size = (key.key_size + 7) // 8
    return b"\0" + secrets.token_bytes(size - 1)


def _decoded(text: str | bytes) -> bytes | None:
    try:
        return base64_text.decode(text, white_space=True)
    except Base64TextError:
        return None


def _read_object(body: bytes) -> dict[str, JSONValue]:
    try:
        value = json_text.parse(body)
    except JSONTextError as error:
        raise EnvelopeError(
            f"The body is not strict JSON: {error}.",
            "Send UTF-8 JSON without trailing commas, comments or repeated members.",
            code="envelope_json",
        ) from None
    if not isinstance(value, dict):
        raise EnvelopeError("The body is not a JSON object.", code="envelope_shape")
    return value


def _read_flow_id(members: Mapping[str, JSONValue]) -> str:
    flow_id = members.get(FLOW_ID_MEMBER)
    if not isinstance(flow_id, str) or not FLOW_ID_FORM.fullmatch(flow_id):
        raise EnvelopeError(
            "flow-id is missing or not 8 letters and digits.",
            "Send the flow-id that was issued to you.",
            code="flow_id",
        )
    return flow_id
