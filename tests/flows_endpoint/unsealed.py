"""Replies that cannot be sealed, whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from crypto_schemes.errors import KeyMaterialError
from crypto_schemes.scheme import Scheme

#: What sealing may fail with: a key's fault, and one of ours.
BROKEN = [KeyMaterialError("a broken key", ""), RuntimeError("a mistake of ours")]


@contextmanager
def nothing_can_be_sealed(scheme: Scheme[Any], error: Exception) -> Iterator[None]:
    """Have sealing a reply of ``scheme`` raise ``error`` while the block lasts."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(scheme), "seal_reply", fail)
        yield
