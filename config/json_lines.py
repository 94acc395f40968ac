"""The form of a log line, the same in every process: one JSON object."""

from __future__ import annotations

from pythonjsonlogger.json import JsonFormatter


def formatter() -> JsonFormatter:
    """Return what makes a line of a record, which brings its ``request_id`` and ``trace_id``."""
    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s %(trace_id)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )
