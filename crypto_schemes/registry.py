"""The schemes there are. Adding one is a module, a folder of views and one line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from crypto_schemes.scheme import Scheme

#: Names of the modules of this package, in the order people meet them.
NAMES = ("kairos", "citcall", "isu", "whatsapp_flows", "flynn")


@cache
def get(name: str) -> Scheme[Any]:
    """Return the scheme called ``name``. Raises KeyError for an unknown one."""
    if name not in NAMES:
        raise KeyError(name)
    scheme: Scheme[Any] = import_module(f"crypto_schemes.{name}").SCHEME
    return scheme


def label(name: str) -> str:
    """Return what the scheme called ``name`` is called in lists; its name if it is gone."""
    return get(name).label if name in NAMES else name


def all_schemes() -> tuple[Scheme[Any], ...]:
    """Return every scheme."""
    return tuple(get(name) for name in NAMES)
