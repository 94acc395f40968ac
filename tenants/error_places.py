"""Where an error was raised: what a log may say of one whose text may quote what was opened."""

from __future__ import annotations

import traceback

#: How many calls are named, the innermost first.
_CALLS = 4


def place_of(error: BaseException) -> str:
    """Return files and lines of the last calls that led to ``error``."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-_CALLS:]))
