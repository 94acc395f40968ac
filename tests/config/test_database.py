"""Where the database is comes from a variable or a file, and what cannot be read is not quoted."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.database import read_database
from tests.support.module_copy import fresh

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("url", "host", "password"),
    [
        ("postgres://sealgate:hush@db:5433/gate", "db", "hush"),
        ("postgresql://sealgate:a%40b%2Fc@db:5433/gate", "db", "a@b/c"),
    ],
)
def test_an_address_is_read(url: str, host: str, password: str) -> None:
    found = read_database(url)
    assert (found["HOST"], found["PORT"], found["NAME"]) == (host, 5433, "gate")
    assert (found["USER"], found["PASSWORD"]) == ("sealgate", password)


def test_an_address_in_a_file_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "database"
    path.write_text("postgres://sealgate:hush@db:5433/gate\n")
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("DATABASE_URL_FILE", str(path))
    settings = fresh("config.settings").DATABASES["default"]
    assert settings["ENGINE"] == "tenants.postgresql"
    assert (settings["HOST"], settings["PASSWORD"]) == ("db", "hush")


def test_both_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////tmp/one")
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "other"))
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL or DATABASE_URL_FILE, not both"):
        fresh("config.settings")


@pytest.mark.parametrize(
    "url", ["hush", "postgress://sealgate:hush@db/gate", "postgres://sealgate:hu/sh@db/gate", "://"]
)
def test_what_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL cannot be read") as caught:
        read_database(url)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
