"""manage.py backup: one whole file of one moment, private, with its secrets kept apart."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.master_keys import MasterKeys
from tenants.models import Client

pytestmark = pytest.mark.django_db(transaction=True)
on_sqlite = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3",
    reason="is for the embedded database",
)


def run(directory: Path, *arguments: str) -> Path:
    out = StringIO()
    call_command("backup", str(directory), *arguments, stdout=out)
    return Path(out.getvalue().strip())


def slugs(database: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return [row[0] for row in opened.execute("SELECT slug FROM tenants_client ORDER BY slug")]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@on_sqlite
@pytest.mark.usefixtures("client_row")
def test_one_private_file_with_everything_in_it(tmp_path: Path) -> None:
    copy = run(tmp_path / "new" / "backups")
    assert slugs(copy) == ["acme"]
    assert list(copy.parent.iterdir()) == [copy]
    assert (mode(copy.parent), mode(copy)) == (0o700, 0o600)
    second = run(copy.parent)
    assert sorted(copy.parent.iterdir()) == [copy, second]


@on_sqlite
@pytest.mark.usefixtures("client_row")
def test_nobody_waits_and_nothing_half_done_is_in_it(tmp_path: Path) -> None:
    name = connection.settings_dict["NAME"]
    with closing(sqlite3.connect(name, isolation_level=None, timeout=1)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE tenants_client SET slug = 'half-done'")
        assert slugs(run(tmp_path)) == ["acme"]
        writer.execute("COMMIT")
    assert slugs(run(tmp_path)) == ["half-done"]
    assert Client.objects.get().slug == "half-done"


@on_sqlite
def test_the_secrets_go_elsewhere_under_the_same_name(tmp_path: Path) -> None:
    copy = run(tmp_path / "backups", "--secrets", str(tmp_path / "secrets"))
    keys, secret = (
        tmp_path / "secrets" / f"{copy.stem}.{what}" for what in ("master-keys", "secret-key")
    )
    assert sorted(keys.parent.iterdir()) == [keys, secret]
    assert MasterKeys.parse(keys.read_text()).by_version == settings.MASTER_KEYS.by_version
    assert secret.read_text().strip() == settings.SECRET_KEY
    assert (mode(keys.parent), mode(keys), mode(secret)) == (0o700, 0o600, 0o600)


@on_sqlite
@pytest.mark.parametrize("place", [".", "inside", "../backups/inside"])
def test_not_beside_what_they_open(tmp_path: Path, place: str) -> None:
    directory = tmp_path / "backups"
    with pytest.raises(CommandError, match="must not lie beside"):
        run(directory, "--secrets", str(directory / place))
    assert not directory.exists()


@on_sqlite
def test_what_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> Callable[[], None]:
        raise sqlite3.OperationalError("disk is full")

    monkeypatch.setattr(sqlite3, "connect", fail)
    with pytest.raises(CommandError, match="The backup failed: disk is full"):
        run(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not on_sqlite.args[0], reason="is for PostgreSQL")
def test_postgresql_has_its_own(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="pg_dump"):
        run(tmp_path / "backups")
    assert not (tmp_path / "backups").exists()
