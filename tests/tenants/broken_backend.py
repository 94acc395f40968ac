"""A module that cannot be imported, for tests."""

from __future__ import annotations

RATIO = 1 / 0
