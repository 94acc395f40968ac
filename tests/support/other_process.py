"""Another process of the product on the test's own database, for races and for being killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection

_ROOT = Path(__file__).resolve().parent.parent.parent
_PRELUDE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
import django
django.setup()
"""


def start(code: str) -> subprocess.Popen[str]:
    """Run ``code`` with Django set up; standard input and output are text pipes.

    The caller waits for it or kills it. Needs a test with ``transaction=True``: only what is
    committed is seen elsewhere.
    """
    return subprocess.Popen(
        [sys.executable, "-c", _PRELUDE + code],
        cwd=_ROOT,
        env={
            **os.environ,
            "SEALGATE_TEST_DATABASE_URL": _database_url(),
            "SEALGATE_OUTBOUND_ALLOW": ",".join(settings.OUTBOUND_ALLOW),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _database_url() -> str:
    now = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{now['NAME']}"
    user = now["USER"] + (f":{now['PASSWORD']}" if now["PASSWORD"] else "")
    return f"postgres://{user}@{now['HOST']}:{now['PORT']}/{now['NAME']}"
