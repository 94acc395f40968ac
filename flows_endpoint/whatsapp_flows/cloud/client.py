"""Calls to the Cloud API over the guarded transport. What was said never stands in an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from callbacks import transport
from callbacks.errors import TransportError
from callbacks.transport import HttpAnswer, TimeLimits
from crypto_schemes import json_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError
from crypto_schemes.json_text import JSONTextError, JSONValue
from flows_endpoint.whatsapp_flows.cloud.accounts import Account
from flows_endpoint.whatsapp_flows.cloud.dispositions import (
    Disposition,
    disposition_of,
    meaning_of,
)

USER_AGENT: Final = "Sealgate-WhatsApp/1"
LIMITS: Final = TimeLimits(connect=5, read=15, total=15)
#: Largest answer read, in bytes.
MAX_ANSWER: Final = 256 * 1024
MESSAGES: Final = "messages"
ENCRYPTION: Final = "whatsapp_business_encryption"
_LONGEST_WAMID: Final = 128


class CloudApiError(Exception):
    """The Cloud API refused, or could not be asked.

    ``code`` is ``error.code`` (None where there was none), ``error`` a short class of failure for
    logs and rows. The text holds nothing of the request, and nothing the platform wrote.
    """

    def __init__(
        self, error: str, *, code: int | None, status: int | None, disposition: Disposition
    ) -> None:
        super().__init__(told(error, code))
        self.error = error
        self.code = code
        self.status = status
        self.disposition = disposition


def told(error: str, code: int | None) -> str:
    """Return in words for people that a call was refused, and why."""
    return f"The Cloud API refused ({error}). {meaning_of(code)}".rstrip()


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public key the platform hands to phones. Empty texts where none was uploaded.

    ``fingerprint`` is the SHA-256 of its SubjectPublicKeyInfo, as keys are shown everywhere here;
    ``signature_status`` is VALID or MISMATCH.
    """

    fingerprint: str
    signature_status: str


def upload_public_key(account: Account, pem: str) -> None:
    """Make ``pem`` the public key of the phone number, in place of any other.

    Raises CloudApiError.
    """
    body = urlencode({"business_public_key": pem}).encode("ascii")
    said = _object(_post(account, ENCRYPTION, body, "application/x-www-form-urlencoded"))
    if said.get("success") is not True:
        raise _refused("not_acknowledged", None, 200)


def read_public_key(account: Account) -> PublishedKey:
    """Return the public key of the phone number. Raises CloudApiError."""
    said = _object(_get(account, ENCRYPTION))
    inside = said.get("data")
    if isinstance(inside, list):
        said = inside[0] if inside and isinstance(inside[0], dict) else {}
    elif isinstance(inside, dict):
        said = inside
    pem = said.get("business_public_key")
    status = said.get("business_public_key_signature_status")
    if not pem:
        return PublishedKey("", "")
    try:
        fingerprint = rsa.spki_fingerprint(rsa.load_public_pem(str(pem)))
    except KeyMaterialError:
        raise _refused("unreadable_key", None, 200) from None
    return PublishedKey(fingerprint, status if isinstance(status, str) else "")


def accepted_id(answer: HttpAnswer) -> str:
    """Return the id the platform gave an accepted message. Raises CloudApiError."""
    messages = _object(answer).get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    wamid = first.get("id") if isinstance(first, dict) else None
    if not isinstance(wamid, str) or not 0 < len(wamid) <= _LONGEST_WAMID:
        raise _refused("not_acknowledged", None, answer.status)
    return wamid


def _get(account: Account, edge: str) -> HttpAnswer:
    headers = {**account.headers, "User-Agent": USER_AGENT}
    try:
        return transport.shared.get(
            account.url(edge), headers, limits=LIMITS, max_answer=MAX_ANSWER
        )
    except TransportError as error:
        raise _unreachable(error) from None


def _post(account: Account, edge: str, body: bytes, content_type: str) -> HttpAnswer:
    headers = {**account.headers, "User-Agent": USER_AGENT, "Content-Type": content_type}
    try:
        return transport.shared.post(
            account.url(edge), body, headers, limits=LIMITS, max_answer=MAX_ANSWER
        )
    except TransportError as error:
        raise _unreachable(error) from None


def _object(answer: HttpAnswer) -> dict[str, Any]:
    """Return the JSON object of a success. Raises CloudApiError."""
    try:
        said: JSONValue = json_text.parse(answer.body)
    except JSONTextError:
        said = None
    if not answer.is_success or (isinstance(said, dict) and "error" in said):
        code = _code(said)
        name = f"http_{answer.status}" if code is None else f"cloud_{code}"
        raise _refused(name, code, answer.status)
    if not isinstance(said, dict):
        raise _refused("not_acknowledged", None, answer.status)
    return said


def _code(said: JSONValue) -> int | None:
    error = said.get("error") if isinstance(said, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    is_number = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 10**9
    return code if is_number else None


def _refused(error: str, code: int | None, status: int) -> CloudApiError:
    return CloudApiError(error, code=code, status=status, disposition=disposition_of(status, code))


def _unreachable(error: TransportError) -> CloudApiError:
    disposition = Disposition.NEVER if error.permanent else Disposition.BACK_OFF
    return CloudApiError(error.kind.value, code=None, status=error.status, disposition=disposition)
