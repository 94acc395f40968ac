"""After a test that commits, every row is as the migrations left it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tenants.models import Client, KeyringEpoch
from tests.support.migrated_rows import MigratedRows


@pytest.mark.django_db(transaction=True)
def test_what_was_added_changed_and_deleted_is_undone() -> None:
    before = MigratedRows.of(connection)
    role = Group.objects.get(name="Key officer")
    granted = set(role.permissions.values_list("codename", flat=True))
    Client.objects.create(slug="acme")
    User.objects.create(username="anna").groups.add(role)
    KeyringEpoch.objects.update(value=7)
    ContentType.objects.get(model="flow").permission_set.all().delete()
    role.delete()
    assert MigratedRows.of(connection) != before

    before.put_back(connection)

    assert MigratedRows.of(connection) == before
    assert not Client.objects.exists()
    assert not User.objects.exists()
    assert KeyringEpoch.objects.get().value != 7
    back = Group.objects.get(name="Key officer")
    assert set(back.permissions.values_list("codename", flat=True)) == granted != set()


@pytest.mark.django_db(transaction=True)
def test_tables_that_were_left_alone_are_not_written() -> None:
    before = MigratedRows.of(connection)
    Client.objects.create(slug="acme")
    written: list[str] = []

    def listen(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        if sql.startswith(("DELETE", "INSERT", "UPDATE", "TRUNCATE")):
            written.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        before.put_back(connection)
    assert written == ['DELETE FROM "tenants_client"']
