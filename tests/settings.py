"""Settings of the test run: the product's own, on throw-away secrets and databases.

``SEALGATE_TEST_DATABASE_URL`` and ``SEALGATE_TEST_REDIS_URL`` choose the servers; without
them the suite runs on the embedded default.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.support import master_key

os.environ["SEALGATE_VAR"] = tempfile.mkdtemp(prefix="sealgate-test-")
os.environ["SEALGATE_MASTER_KEYS"] = master_key.MASTER_KEYS
os.environ["SEALGATE_SECRET_KEY"] = "only-for-the-test-run-0123456789abcdefghijklmnopqrstuvwxyz"
os.environ["SEALGATE_OUTBOUND_ALLOW"] = "127.0.0.0/8,::1/128"
Path(os.environ["SEALGATE_VAR"], "static").mkdir()
for name in (
    "SEALGATE_MASTER_KEYS_FILE",
    "SEALGATE_SECRET_KEY_FILE",
    "CELERY_BROKER_URL",
    "SEALGATE_OPERATORS_EMAIL",
    "EMAIL_URL",
):
    os.environ.pop(name, None)
# A process of the run started by another one has its own.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
os.environ["DATABASE_URL"] = os.environ.get("SEALGATE_TEST_DATABASE_URL") or (
    f"sqlite:///{os.environ['SEALGATE_VAR']}/test.sqlite3"
)
os.environ["REDIS_URL"] = os.environ.get("SEALGATE_TEST_REDIS_URL", "")
os.environ["CELERY_BROKER_URL"] = "memory://"

from config.settings import *  # noqa: E402, F403
from config.settings import DATABASES, STORAGES  # noqa: E402

DATABASES["default"].get("OPTIONS", {}).pop("pool", None)
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    )
else:
    # What a test wrote need not outlive a power cut; copies of the product do wait for the disk.
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c synchronous_commit=off"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
# A test reads the exchange log right after its request; the batches have tests of their own.
EXCHANGE_LOG_BATCHES = False
