"""Reading the address of the database."""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


def read_database(url: str) -> dict[str, Any]:
    """Return Django's settings for ``url``, such as ``postgres://user:password@host:5432/name``.

    Raises ImproperlyConfigured, without quoting the URL, when it cannot be read.
    """
    try:
        # Of a scheme that it does not know, environ prints a warning with all there is.
        if url.partition(":")[0] in environ.Env.DB_SCHEMES:
            found: dict[str, Any] = environ.Env.db_url_config(url)
            return found
    except (ImproperlyConfigured, ValueError):
        pass
    raise ImproperlyConfigured(
        "DATABASE_URL cannot be read. Write postgres://user:password@host:5432/name; "
        "characters such as @ and / in the password as %40 and %2F."
    )
