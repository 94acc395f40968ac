"""Typed reading of the environment: plain settings, and secrets from ``NAME`` or ``NAME_FILE``."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_ADVICE = "script/server makes one on its first run; see docs/configuration.md."


def secret(name: str, default: str | None = None, *, advice: str = _ADVICE) -> str:
    """Return the secret ``name`` from the variable itself or from the file ``NAME_FILE`` names.

    Surrounding white space is dropped. Raises ImproperlyConfigured, with ``advice``, when both
    are given, when the file cannot be read or is empty, or when there is neither and no default.
    """
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both. {advice}")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(
                f"{name}_FILE names a file that cannot be read: {path} ({type(error).__name__}). "
                f"Check the path and the permissions. {advice}"
            ) from None
        if not value.strip():
            raise ImproperlyConfigured(f"{name}_FILE names an empty file: {path}. {advice}")
    if value is not None and value.strip():
        return value.strip()
    if default is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it, or {name}_FILE to the path of a file that holds it. "
            f"{advice}"
        )
    return default
