"""What is made once in a run of pytest, however many processes share the tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

#: Names the folder to the processes of pytest-xdist, which inherit the environment.
_VARIABLE = "SEALGATE_TEST_MADE_ONCE"


def folder() -> Path:
    """Return the folder of all that is made once; the process that asks first removes it."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = _own_folder().name
    return Path(os.environ[_VARIABLE])


@cache
def _own_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="sealgate-made-once-")


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder ``name``, which ``make`` has filled in whatever process came first."""
    made = folder() / name
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            # One whose making failed is made again, under another name.
            filled = Path(tempfile.mkdtemp(dir=folder()))
            make(filled)
            filled.rename(made)
    return made
