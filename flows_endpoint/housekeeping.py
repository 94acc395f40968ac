"""Duties of the worker that only tidy up: each contract brings its own.

A duty takes the time now (Unix seconds) and deletes what no longer means anything at that
time. It may run late, twice or at the same time as another one.
"""

from __future__ import annotations

from collections.abc import Callable

_Duty = Callable[[float], int]
_duties: dict[str, _Duty] = {}


def register(name: str, duty: _Duty) -> None:
    """Have ``duty`` run regularly; ``name`` (``whatsapp_flows.steps``) once."""
    _duties[name] = duty


def run(now: float) -> None:
    """Run every duty."""
    for duty in tuple(_duties.values()):
        duty(now)
