"""The options of a Kairos flow."""

from __future__ import annotations

import re
from datetime import date
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, StringConstraints

from crypto_schemes.ciphers.rsa import RSAPadding
from crypto_schemes.options import Options

_SEPARATORS: Final = re.compile(r"[\s,;]+")


class RSABits(IntEnum):
    """Sizes of a flow's key pair, in bits."""

    BITS_4096 = 4096
    BITS_3072 = 3072
    BITS_2048 = 2048


class ErrorHTTPStatus(StrEnum):
    """What HTTP status goes with an error reply."""

    ALWAYS_200 = "always_200"
    MIRROR = "mirror"


def _listed(value: Any) -> Any:
    """Split a text (form field, command line) into its parts; leave lists alone."""
    return [part for part in _SEPARATORS.split(value) if part] if isinstance(value, str) else value


def _empty_is_none(value: Any) -> Any:
    """Read an empty form field as *not set*."""
    return None if isinstance(value, str) and not value.strip() else value


PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{6,15}$")]


class KairosOptions(Options):
    """How one flow speaks Kairos: its cipher, its switches, what its sandbox simulates."""

    rsa_padding: RSAPadding = Field(
        RSAPadding.PKCS1V15,
        title="RSA padding",
        description="How partners wrap their AES key string with the flow's public key. Change it "
        "only together with every partner who uses this flow.",
    )
    rsa_bits: RSABits = Field(
        RSABits.BITS_4096,
        title="RSA key size",
        description="Size in bits of the next key pair that is generated for this flow. Pairs that "
        "exist keep their size.",
    )
    encrypt_helper: Annotated[bool | None, BeforeValidator(_empty_is_none)] = Field(
        None,
        title="Encrypt helper",
        description="Whether /enc/outbound/encryptdata answers. It makes the caller send plain "
        "text and AES key, so it is for learning, not for live data. Not set: on for a flow with "
        "the sandbox behind it, off for every other.",
    )
    plain_requests: bool = Field(
        True,
        title="Unencrypted requests",
        description="Whether the addresses for unencrypted calls answer. Off: calls are taken "
        "encrypted only; the pull address, which has no encrypted form, still answers.",
    )
    partner_key_generation: bool = Field(
        False,
        title="Key generation by the partner",
        description="Whether /enc/outbound/generateKeyPair answers. The first pair it makes "
        "becomes active; any later one is staged until an administrator promotes it, and while "
        "one waits no other is made.",
    )
    error_http_status: ErrorHTTPStatus = Field(
        ErrorHTTPStatus.ALWAYS_200,
        title="HTTP status of errors",
        description="always_200: every error travels with HTTP status 200. mirror: the codes 400, "
        "401, 402 and 500 are the HTTP status too; all others still travel with 200.",
    )
    checksum_window: int = Field(
        86_400,
        ge=1,
        le=366 * 86_400,
        title="Checksum window (seconds)",
        description="For how long a payload identical to one already accepted is refused with "
        "code 201.",
    )
    test_phone_numbers: Annotated[tuple[PhoneNumber, ...], BeforeValidator(_listed)] = Field(
        (),
        max_length=1_000,
        title="Phone allow-list of the TEST version",
        description="The only numbers that requests with api-version TEST may call: 6 to 15 "
        "digits, country code first. A leading + is of no importance.",
    )
    valid_until: Annotated[date | None, BeforeValidator(_empty_is_none)] = Field(
        None,
        title="Valid until",
        description="Last day (UTC) on which the flow takes calls; afterwards they are refused "
        "with code 211. Not set: no end.",
    )
    balance: Annotated[int | None, BeforeValidator(_empty_is_none)] = Field(
        None,
        ge=0,
        le=1_000_000_000,
        title="Balance (calls)",
        description="How many calls the flow may place in all, counted while a balance is set; a "
        "request for more than what is left is refused with code 212. Not set: unlimited.",
    )
    international_calls: bool = Field(
        True,
        title="International calls",
        description="Whether numbers outside the home country are called. If not, such a call "
        "ends with the flow status INTERNATIONAL_CALLS_DISABLED.",
    )
    country_code: str = Field(
        "91",
        pattern=r"^[1-9][0-9]{0,2}$",
        title="Home country code",
        description="Digits a number starts with when it belongs to the home country.",
    )
    callback_username: str = Field(
        "",
        pattern=r"^[^:\x00-\x1f\x7f]*$",
        max_length=128,
        title="Callback user name",
        description="User name for HTTP Basic authentication at the partner's callback address; "
        "the password is the key of purpose callback_basic_password. Empty: no authentication.",
    )
