"""Reading the address of the mail server, and who is written to."""

from __future__ import annotations

from typing import Any, Final

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

_NOBODY: Final = "dummymail://"


def read_mail_server(url: str, operators: list[str]) -> dict[str, Any]:
    """Return Django's settings for ``url``, such as ``smtp+tls://user:password@host:587``.

    Raises ImproperlyConfigured, without quoting the URL, when it cannot be read, when an address
    is none, or when there is somebody to write to and no server.
    """
    for address in operators:
        try:
            validate_email(address)
        except ValidationError:
            raise ImproperlyConfigured(
                f"SEALGATE_OPERATORS_EMAIL: {address} is no e-mail address. "
                "Separate several by commas."
            ) from None
    if operators and not url:
        raise ImproperlyConfigured(
            "SEALGATE_OPERATORS_EMAIL names somebody, but no mail could be sent: set EMAIL_URL, "
            "such as smtp+tls://user:password@mail.example:587."
        )
    try:
        found: dict[str, Any] = environ.Env.email_url_config(url or _NOBODY)
    except (ImproperlyConfigured, ValueError):
        raise ImproperlyConfigured(
            "EMAIL_URL cannot be read. Write smtp://, smtp+tls:// (STARTTLS) or smtp+ssl://, then "
            "user:password@host:port; characters such as @ and / in the password as %40 and %2F."
        ) from None
    return found
