"""Options of a CitCall flow: what its administrator may choose."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator

from crypto_schemes.options import Options

_POOL_ENTRY = re.compile(r"(?=.{8,16}\Z)\+?[0-9]{3,15}X{0,8}")
#: How many digits at the end of a calling number are the one-time password.
OTP_DIGITS: Final = 4


def _listed(value: object) -> object:
    """Return the entries of a text that lists them, one a line or between commas."""
    return re.split(r"[\s,]+", value.strip(" \t\r\n,")) if isinstance(value, str) else value


class CitCallOptions(Options):
    """Options of one CitCall flow."""

    max_skew: int = Field(
        480,
        ge=1,
        le=86_400,
        title="Time window (seconds)",
        description=(
            "How far the time inside a message may lie before or after this server's clock. "
            "Older and newer messages are refused with rc 98; the same message is accepted "
            "only once inside the window, and gets the first reply again where it names a "
            "`clientUniqueId`."
        ),
    )
    reply_trxid: bool = Field(
        True,
        title="Transaction id in replies",
        description=(
            "Whether a successful reply carries trxid (after info). Turn it off for a partner "
            "whose client knows only the members of the vendor's printed example."
        ),
    )
    callback_body: Literal["sealed", "plain"] = Field(
        "sealed",
        title="Form of callbacks",
        description=(
            'sealed posts {"data": …} under the userid and the active API key, like every other '
            "message; plain posts the JSON itself, for partners built after the example."
        ),
    )
    number_pool: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        ("0215080XXXX",),
        min_length=1,
        max_length=1000,
        title="Calling numbers",
        description=(
            "The numbers calls are placed from, one a line: digits as the phone shows them, each X "
            "at the end standing for any digit. The last four digits are the one-time password, so "
            "four X give 10,000 of them, and a short list of full numbers is easily guessed."
        ),
    )
    attempts_per_minute: int = Field(
        60,
        ge=1,
        le=100_000,
        title="Wrong API keys a minute",
        description=(
            "How many requests from one address may come with this userid and a wrong API key in "
            "a minute. After that the address is refused with rc 98 for the rest of the minute, "
            "whatever it sends with this userid."
        ),
    )

    @field_validator("number_pool")
    @classmethod
    def _drawable(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if not _POOL_ENTRY.fullmatch(entry):
                raise ValueError(
                    "each entry is 8 to 16 characters: digits, then X for each free digit "
                    "(0215080XXXX)"
                )
        endings = {entry[-OTP_DIGITS:] for entry in entries}
        if len(endings) == 1 and "X" not in next(iter(endings)):
            raise ValueError(
                "the list must allow at least two different last four digits: nobody may get the "
                "same ones twice running"
            )
        return entries
