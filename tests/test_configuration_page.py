"""docs/configuration.md names every setting that the code reads, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.once


def test_the_page_and_the_code_name_the_same_variables() -> None:
    name = r"(SEALGATE_[A-Z_]+|DATABASE_URL|REDIS_URL|CELERY_BROKER_URL|EMAIL_URL|PORT)"
    read = set()
    for path in (ROOT / "config").glob("*.py"):
        read |= set(re.findall(rf'["\']{name}["\']', path.read_text()))
    page = (ROOT / "docs/configuration.md").read_text()
    documented = set(re.findall(rf"^\| `{name}` \|", page, flags=re.MULTILINE))
    assert documented == read
