"""The log of the web server itself, which writes it before Django is there and after it is gone."""

from __future__ import annotations

import logging
from typing import Any

from gunicorn.glogging import Logger

from config import json_lines


class ServerLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's log, in JSON lines like those of the processes it serves with.

    Not by its ``logconfig_dict``, with which gunicorn would write a line for each request too.
    """

    def setup(self, cfg: Any) -> None:
        """Take over the configuration; gunicorn calls this again when it reads it again."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(json_lines.formatter())
            handler.addFilter(_of_no_request)


def _of_no_request(record: logging.LogRecord) -> bool:
    record.request_id = record.trace_id = ""
    return True
