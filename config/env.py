"""Typed reading of the environment and of ``.env``: plain settings, and secrets from files too.

Every process reads its settings here, so that a line of ``.env`` counts for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT: Final = Path(__file__).resolve().parent.parent
#: Secrets that script/server makes on its first run, and their files in the directory of data.
FIRST_RUN: Final[Mapping[str, str]] = {
    "SEALGATE_MASTER_KEYS": "master-keys",
    "SEALGATE_SECRET_KEY": "secret-key",
}
#: Where script/server leaves the address it serves at, for commands beside it.
SERVED_AT: Final = "served-at"
_ADVICE: Final = "script/server makes one on its first run; see docs/configuration.md."
_KINDS: Final[Mapping[Any, str]] = {int: "a whole number", float: "a number"}


class Environment(environ.Env):  # type: ignore[misc]  # environ has no types
    """Reads typed values. An empty value is no value, but for a list, which it makes empty."""

    def __init__(self) -> None:
        super().__init__()
        #: Names that were asked for so far, whether they were there or not.
        self.asked: set[str] = set()

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, *more: Any
    ) -> Any:
        """Return the value of ``var``. Raises ImproperlyConfigured where it is none of its kind."""
        self.asked.add(var)
        if os.environ.get(var) == "" and cast in {str, bool, int, float}:
            return default
        try:
            return super().get_value(var, cast, default, *more)
        except ValueError:
            kind = _KINDS.get(cast, "another value")
            raise ImproperlyConfigured(f"{var} must be {kind}.") from None


def load(path: Path) -> None:
    """Put the lines of ``path`` into the environment, where they are not set yet."""
    if path.is_file():
        environ.Env.read_env(str(path))


load(ROOT / ".env")
env = Environment()


def is_said(name: str) -> bool:
    """Return whether ``name`` is set, if only to nothing."""
    return name in os.environ


def names_set() -> list[str]:
    """Return the names of all variables that have a value."""
    return sorted(name for name, value in os.environ.items() if value)


def is_given(name: str) -> bool:
    """Return whether ``name`` has a value, or ``NAME_FILE`` names a file that holds it."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def var_dir() -> Path:
    """Return the directory of data; one that is relative stands beside ``manage.py``."""
    return ROOT / str(env.str("SEALGATE_VAR", default="var"))


def port() -> int:
    """Return the port of the web process."""
    return int(env.int("PORT", default=8000))


def local_url() -> str:
    """Return where the web process is reached from this machine.

    ``PORT`` says so; without it, what script/server left, so that a command beside it knows.
    """
    if not is_given("PORT"):
        with suppress(OSError, UnicodeDecodeError):
            return (var_dir() / SERVED_AT).read_text(encoding="utf-8").strip()
    return f"http://127.0.0.1:{port()}"


def secret(name: str, default: str | None = None, *, advice: str = _ADVICE) -> str:
    """Return the secret ``name`` from the variable itself or from the file ``NAME_FILE`` names.

    Without either, one of :data:`FIRST_RUN` is read from its file. Surrounding white space is
    dropped. Raises ImproperlyConfigured, with ``advice``, when both are given, when the file cannot
    be read or is empty, or when there is neither and no default.
    """
    env.asked |= {name, f"{name}_FILE"}
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value and path:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both. {advice}")
    if path:
        return _read(path, f"{name}_FILE names", advice)
    if value is not None and value.strip():
        return value.strip()
    if name in FIRST_RUN and (made := var_dir() / FIRST_RUN[name]).exists():
        return _read(str(made), f"{name} is looked for in", advice)
    if default is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it, or {name}_FILE to the path of a file that holds it. "
            f"{advice}"
        )
    return default


def _read(path: str, who: str, advice: str) -> str:
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"{who} a file that cannot be read: {path} ({type(error).__name__}). "
            f"Check the path and the permissions. {advice}"
        ) from None
    if not value:
        raise ImproperlyConfigured(f"{who} an empty file: {path}. {advice}")
    return value
