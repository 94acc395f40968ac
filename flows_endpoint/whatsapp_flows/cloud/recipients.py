"""Who a message is for: a phone number in E.164, or a business-scoped user id."""

from __future__ import annotations

import re
from typing import Final

_PHONE: Final = re.compile(r"[1-9][0-9]{6,14}")
#: Two letters of a country, perhaps ENT, up to 128 letters and digits: a user without a number.
_SCOPED_ID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
#: What people write between the digits of a number.
_BETWEEN: Final = str.maketrans("", "", " -()./\u00a0")


class RecipientError(ValueError):
    """This is nobody a message can be sent to. The message never quotes it."""


def parse_recipient(text: str) -> str:
    """Return ``text`` as it is stored and compared: digits only, or the user id as it is.

    Raises RecipientError.
    """
    text = text.strip()
    if _SCOPED_ID.fullmatch(text):
        return text
    digits = text.translate(_BETWEEN).removeprefix("+")
    if not digits.isascii() or not _PHONE.fullmatch(digits):
        raise RecipientError(
            "The recipient must be a phone number with its country code, such as +1 555 000 1111, "
            "or a business-scoped user id, such as US.13491208655302741918."
        )
    return digits


def addressed_to(recipient: str) -> dict[str, str]:
    """Return the member of a message that names the recipient."""
    return {"recipient": recipient} if "." in recipient else {"to": recipient}


def tail_of(recipient: str) -> str:
    """Return the last characters, by which people recognise one they know."""
    return recipient[-4:]
