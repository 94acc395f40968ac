"""What every test of the Django side starts from."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_django
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.db.models import CheckConstraint
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings

from callbacks import dispatcher
from callbacks.doorbell import doorbell
from flows_endpoint.guards import attempts
from tenants import append_only, digests, lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.models import Client
from tests.support import distribution, made_once, product, services
from tests.support.examples import examples
from tests.support.migrated_rows import MigratedRows

# How long an example takes says something about the machine's other work, not about the code.
hypothesis_settings.register_profile("suite", deadline=None, max_examples=examples(100))
hypothesis_settings.load_profile("suite")


def pytest_configure() -> None:
    """Have all processes of the run share what is made once."""
    made_once.folder()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no database behind; the last process to end is the one that shared out the tests."""
    if not hasattr(config, "workerinput"):
        services.drop_template()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out files, and of copies of the product installations (``--dist loadfile``)."""
    return distribution.Distribution(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let what takes longest come first where several processes share the tests."""
    if hasattr(config, "workerinput"):
        items[:] = distribution.ordered(items)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what stays for good: the modules and the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session")
def _migrated_database(
    django_test_environment: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """Have the process's tests run on a copy of a database that is migrated once.

    On SQLite a file, not memory: threads and processes of one test must see one database.
    """
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            name = f"{settings.VAR_DIR}/test.sqlite3"
            shutil.copy(product.empty_sqlite(), name)
        else:
            url = stack.enter_context(services.migrated_postgresql())
            name = urlsplit(url).path.removeprefix("/")
        with django_db_blocker.unblock():
            connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        yield
        with django_db_blocker.unblock():
            connection.close()


@pytest.fixture(scope="session")
def django_db_setup(
    _migrated_database: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """Make what an installation makes at its first use; put it back after a test that commits.

    It stands in for pytest-django's fixture of this name, which migrates a database a process.

    Without the secrets each test would make its own in a transaction that is undone, and ask for
    them at every use: how many statements a request takes would depend on the order of tests.
    Tests that commit may empty the audit trail afterwards; its own tests put the guard back.
    """
    with django_db_blocker.unblock():
        append_only.remove(connection)
        for name in ("lookup", "fingerprint"):
            digests.internal_secret(name)
        digests.forget_cached()
        migrated = MigratedRows.of(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            TransactionTestCase, "_fixture_teardown", lambda _: migrated.put_back(connection)
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _checks_once() -> Iterator[None]:
    """Have the commands that tests run check models, pages and addresses once in a process.

    Each would check all of them again, which stay as they are. Commands in processes of their own
    do check, and so do tests that call the checks.
    """
    checked: set[str] = set()
    check = BaseCommand.check

    def check_once(command: BaseCommand, *arguments: Any, **options: Any) -> None:
        asked = repr((arguments, sorted(options.items())))
        if asked not in checked:
            check(command, *arguments, **options)
            checked.add(asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseCommand, "check", check_once)
        yield


@pytest.fixture(autouse=True)
def _fresh_process_memory(settings: Any) -> Iterator[None]:
    """Forget what the process remembers of another test's database; see changes at once."""
    settings.KEYRING_EPOCH_SECONDS = 0
    keyring.forget()
    digests.forget_cached()
    attempts.forget_known()
    yield
    keyring.forget()
    digests.forget_cached()


@pytest.fixture(autouse=True)
def _nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a round of deliveries end when nothing is due, rather than wait for the next seconds."""
    monkeypatch.setattr(dispatcher, "LOOKS_AHEAD", 0)
    monkeypatch.setattr(doorbell, "_quiet_until", float("-inf"))
    monkeypatch.setattr(doorbell, "_is_doubtful", False)


@pytest.fixture(scope="module")
def module_rows(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[None]:
    """Let a fixture write rows once that every test of its module finds as they were.

    Each test is then a savepoint of one transaction: none of them may be one that commits.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def actor() -> Actor:
    return Actor(name="tester")


@pytest.fixture
def client_row(db: None, actor: Actor) -> Client:
    """A tenant called acme."""
    return lifecycle.create_client(actor, slug="acme")


@pytest.fixture
def make_flow(
    client_row: Client, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., lifecycle.IssuedFlow]:
    """Make a flow: ``make_flow("kairos", address=…, options={…}, backend=…, callback_url=…)``.

    RSA keys come from the committed test keys: generating 4096 bits takes seconds.
    """
    from tests.support import test_keys  # noqa: PLC0415

    test_keys.use_committed_rsa_keys(monkeypatch)

    def make(scheme: str, **details: Any) -> lifecycle.IssuedFlow:
        with monkeypatch.context() as patch:
            # The database checks them as well, when the row is written, and in no time.
            patch.setattr(CheckConstraint, "validate", lambda *_, **__: None)
            return lifecycle.create_flow(actor, client_row, scheme, **details)

    return make
