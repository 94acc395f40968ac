"""Nothing starts on tables of another version; a database that is away stops nobody."""

from __future__ import annotations

import pkgutil
import signal
from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client as HttpClient

from config import celery, gunicorn
from tenants import reporter, schema

pytestmark = pytest.mark.django_db
LATER = {"app": "tenants", "name": "9999_of_a_newer_version"}


@pytest.fixture(autouse=True)
def _nothing_is_closed_or_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's transaction is open on the connection that a process would close."""
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(reporter, "start", lambda kind: pytest.fail(f"{kind} started"))


@pytest.fixture
def _newer() -> None:
    MigrationRecorder.Migration.objects.create(**LATER)


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def refusal(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "sealgate.start"]


def test_the_tables_of_this_version() -> None:
    assert schema.mismatch() == ""
    celery._require_tables()


def test_the_folders_are_looked_into_once(monkeypatch: pytest.MonkeyPatch) -> None:
    schema._names.cache_clear()
    look = Mock(side_effect=pkgutil.iter_modules)
    monkeypatch.setattr(pkgutil, "iter_modules", look)
    assert schema.mismatch() == ""
    look.assert_called()
    look.reset_mock()
    MigrationRecorder.Migration.objects.create(**LATER)
    assert schema.mismatch() == schema.AHEAD
    look.assert_not_called()


def test_a_migration_that_was_not_applied() -> None:
    MigrationRecorder.Migration.objects.filter(app="tenants").latest("id").delete()
    assert schema.mismatch() == "pending; run manage.py migrate"


def test_no_tables_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationRecorder, "has_table", lambda _: False)
    assert schema.mismatch() == "pending; run manage.py migrate"


@pytest.mark.usefixtures("_newer")
def test_a_database_of_a_newer_version(client: HttpClient) -> None:
    told = "the database is of a newer version; run that, or restore a backup"
    assert schema.mismatch() == told
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json()["checks"]["migrations"] == told


def test_what_others_replaced_by_one_migration_is_nothing_newer() -> None:
    MigrationRecorder.Migration.objects.create(app="axes", name="0001_of_long_ago")
    assert schema.mismatch() == ""


def test_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise DatabaseError

    monkeypatch.setattr(schema, "mismatch", fail)
    assert schema.wrong_at_start() == ""


@pytest.mark.usefixtures("_newer")
def test_a_worker_ends(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        celery._require_tables()
    assert ended.value.code == 4
    assert refusal(caplog) == [f"Not started. Migrations: {schema.AHEAD}."]


@pytest.mark.usefixtures("_newer")
@pytest.mark.parametrize("age", [1, gunicorn.workers + 1])
def test_a_web_process_ends_its_server(age: int, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        gunicorn.post_worker_init(SimpleNamespace(age=age, alive=True))
    assert ended.value.code == 4
    assert refusal(caplog) == [f"Not started. Migrations: {schema.AHEAD}."]


@pytest.mark.usefixtures("_newer", "signals_as_before")
def test_the_others_leave_it_to_the_first(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        gunicorn.post_worker_init(SimpleNamespace(age=2, alive=False))
    assert ended.value.code == 0
    assert refusal(caplog) == []
