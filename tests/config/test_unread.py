"""A name that nothing reads is said; one about a database stops the start."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from config import serving, unread
from config.env import env
from tests.support.product import ROOT

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("SEALGATE_", "DATABASE_"))]:
        monkeypatch.delenv(name)


def said() -> dict[str, Any]:
    """Return what manage.py check says of names that nothing reads, by their message."""
    found = [message for message in checks.run_checks() if str(message.id).startswith("sealgate.")]
    return {message.msg: message.id for message in found}


def test_every_documented_name_is_read() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", page, flags=re.MULTILINE))
    assert documented - {"PORT"} <= env.asked | serving.NAMES


def test_a_name_that_nothing_reads_is_said_without_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEALGATE_OUTBOUND_ALOW", "10.20.0.0/16")
    monkeypatch.setenv("SEALGATE_PUBLIC_URL_FILE", "/run/secrets/url")
    monkeypatch.setenv("REDIS_URL_FIEL", "/run/secrets/redis")
    monkeypatch.setenv("EMAIL_URL_FILE", "/run/secrets/email")
    monkeypatch.setenv("SEALGATE_TEST_REDIS_URL", "redis://127.0.0.1/13")
    monkeypatch.setenv("SEALGATE_SOMETHING", "")
    assert said() == {
        "REDIS_URL_FIEL is set, but nothing reads it.": "sealgate.W001",
        "SEALGATE_OUTBOUND_ALOW is set, but nothing reads it.": "sealgate.W001",
        "SEALGATE_PUBLIC_URL_FILE is set, but nothing reads it.": "sealgate.E001",
    }


@pytest.mark.parametrize(
    "name",
    [
        "SEALGATE_DATABASE_URL",
        "SEALGATE_DATABASE_URL_FILE",
        "DATABASE_URI",
        "DATABASE_DSN_FILE",
        "DATABASE_HOST",
    ],
)
def test_a_database_that_would_not_be_used_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "postgres://sealgate:hush@db/sealgate")
    with pytest.raises(
        ImproperlyConfigured, match=f"^{name} is set, which nothing reads"
    ) as caught:
        unread.refuse_another_database()
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("DATABASE_URL_FILE", "/run/secrets/database")
    unread.refuse_another_database()


def test_without_any_name_of_a_database_the_embedded_one_is_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEALGATE_DATABASE_MAX_AGE", "60")
    unread.refuse_another_database()
