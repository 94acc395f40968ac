"""The two headers of ISU: ``pass_key`` finds the client, ``header_secrets`` proves who calls.

``header_secrets`` is the encrypted ``{"client_id", "client_secret", "epoch"}``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from crypto_schemes.ciphers import aes, mac
from crypto_schemes.errors import AuthenticationError, FreshnessError, SealError
from crypto_schemes.isu.options import IsuOptions
from crypto_schemes.isu.value import Message, cannot_open, open_with, seal_value, take_apart
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import write_json

#: Purposes the headers need.
PASS_KEY, CLIENT_SECRET, HEADER_KEY = "pass_key", "client_secret", "isu_aes"

_HEADER_MEMBERS = frozenset({"client_id", "client_secret", "epoch"})
_EPOCH = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,9})?")
#: From this number on an epoch counts milliseconds; as seconds it is the year 33658.
_MILLISECONDS_FROM = 10**12
_EPOCH_LIMIT = 10**16


@dataclass(frozen=True, slots=True)
class OpenedHeader:
    """What ``pass_key`` and ``header_secrets`` proved.

    ``issued_at`` is the client's clock in Unix seconds; ``once`` (32 bytes) must not be
    seen twice inside the window, None where the replay guard is off; ``opened_by`` holds
    the versions of pass key, AES key and client secret that fitted, in this order.
    """

    issued_at: float
    once: bytes | None = field(repr=False)
    opened_by: tuple[KeyVersion, KeyVersion, KeyVersion]

    @property
    def aes(self) -> KeyVersion:
        """Return the AES key version the header was sealed under."""
        return self.opened_by[1]


def open_header(
    headers: Mapping[str, str], credentials: Credentials, options: IsuOptions, *, now: float
) -> OpenedHeader:
    """Check ``pass_key``, open ``header_secrets`` and check who sent it, and when.

    Raises AuthenticationError (``pass_key_missing``, ``pass_key_invalid``,
    ``header_secrets_missing``, ``header_secrets_empty``), OpenError
    (``header_`` and the step) for all that does not open *and* for a wrong id or secret,
    and FreshnessError (``epoch``) only after both were right.
    """
    values = _folded(headers)
    pass_key = _check_pass_key(values, credentials)
    value = values.get("header-secrets")
    if value is None:
        raise AuthenticationError(
            "The header header_secrets is missing.",
            "Send it, and see that no proxy drops names with underscores.",
            code="header_secrets_missing",
        )
    if not value.strip():
        raise AuthenticationError(
            "The header header_secrets is empty.",
            "Encrypt client_id, client_secret and epoch into it.",
            code="header_secrets_empty",
        )
    message = take_apart(value, options)
    faults = ["no_key"]
    for version in credentials.accepted(HEADER_KEY):
        attempt = open_with(version, message, options)
        members_fit, members = _header_members(attempt.value)
        secret = _check_client(members, credentials)
        issued_at = _epoch(members["epoch"])
        if attempt.fault:
            faults.append(attempt.fault)
        elif not members_fit or issued_at is None:
            faults.append("members")
        elif secret is None:
            faults.append("credentials")
        else:
            if abs(now - issued_at) > options.epoch_window:
                raise FreshnessError(
                    "The epoch in header_secrets is too far from the server's clock.",
                    "Encrypt header_secrets anew for each call and keep the clock right.",
                    code="epoch",
                )
            once = _once(message, attempt.text) if options.replay_guard else None
            return OpenedHeader(issued_at, once, (pass_key, version, secret))
    raise cannot_open("header", faults)


def seal_header(credentials: Credentials, options: IsuOptions, *, now: float) -> str:
    """Return a fresh ``header_secrets``. Raises SealError or KeyUnavailableError."""
    client_id = credentials.identity.get("client_id")
    if not client_id:
        raise SealError("There is no client_id to seal into header_secrets.", code="no_client_id")
    text = write_json(
        {
            "client_id": client_id,
            "client_secret": credentials.active(CLIENT_SECRET).text,
            "epoch": str(int(now)),
        }
    )
    return seal_value(credentials.active(HEADER_KEY).raw, text, options)


def _folded(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by lower-case name with ``-``; twins are joined with a comma.

    The joined form is what a server makes of them too, and never a legal value.
    """
    folded: dict[str, str] = {}
    for name, value in headers.items():
        key = name.lower().replace("_", "-")
        folded[key] = f"{folded[key]},{value}" if key in folded else value
    return folded


def _check_pass_key(values: Mapping[str, str], credentials: Credentials) -> KeyVersion:
    given = values.get("pass-key")
    if given is None:
        raise AuthenticationError(
            "The header pass_key is missing.",
            "Send it, and see that no proxy drops names with underscores.",
            code="pass_key_missing",
        )
    versions = credentials.accepted(PASS_KEY)
    found = mac.equal_any([version.text for version in versions], given)
    if found is None or "," in given:
        raise AuthenticationError("The pass_key is not this flow's.", code="pass_key_invalid")
    return versions[found]


def _header_members(value: JSONValue) -> tuple[bool, dict[str, JSONValue]]:
    """Return whether the three members are there once, and them (or empty ones)."""
    empty: dict[str, JSONValue] = dict.fromkeys(_HEADER_MEMBERS, "")
    if not isinstance(value, dict):
        return False, empty
    found = [(name.lower(), member) for name, member in value.items()]
    members = {name: member for name, member in found if name in _HEADER_MEMBERS}
    once_each = sum(name in _HEADER_MEMBERS for name, _ in found) == len(_HEADER_MEMBERS)
    texts = all(isinstance(members.get(name), str) for name in (CLIENT_SECRET, "client_id"))
    if len(members) != len(_HEADER_MEMBERS) or not once_each or not texts:
        return False, empty
    return True, members


def _check_client(members: Mapping[str, str], credentials: Credentials) -> KeyVersion | None:
    """Return the client secret's version that fits; None unless the id fits as well."""
    expected = credentials.identity.get("client_id", "")
    id_fits = mac.equal(expected, members["client_id"])
    versions = credentials.accepted(CLIENT_SECRET)
    found = mac.equal_any([version.text for version in versions], members[CLIENT_SECRET])
    return versions[found] if found is not None and id_fits and expected else None


def _epoch(value: JSONValue) -> float | None:
    """Return Unix seconds of an epoch in seconds or milliseconds, as text or number."""
    if isinstance(value, str):
        number: float = float(value) if _EPOCH.fullmatch(value) else -1
    else:
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not 0 <= number < _EPOCH_LIMIT:
        return None
    return number / 1000 if number >= _MILLISECONDS_FROM else float(number)


def _once(message: Message, text: bytes) -> bytes:
    """Return SHA-256 of the cipher blocks that carry ``text``.

    Not of the value as sent: its spare base64 bits, the IV (which bends the first block:
    member names may change case) and, with lenient unpadding, further blocks at the end
    can be changed by anyone and leave the meaning alone. These blocks cannot.
    """
    carrying = -(-len(text) // aes.BLOCK) * aes.BLOCK
    return hashlib.sha256(message.blocks[:carrying]).digest()
