"""manage.py check_installation: do tables, master keys and audit trail belong together?"""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tenants import append_only, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.master_keys import MasterKeys, generate
from tenants.models import AuditEntry, AuditHead, Key

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def flow(make_flow: Callable[..., IssuedFlow]) -> IssuedFlow:
    append_only.install(connection)
    return make_flow("citcall", address="shop")


def run(command: str = "check_installation", *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def failure(*arguments: str) -> tuple[str, str]:
    """Return what is printed, and what the command fails with."""
    out = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("check_installation", *arguments, stdout=out)
    return out.getvalue(), str(failed.value)


def test_all_is_well() -> None:
    told = run()
    assert told.startswith("The tables are of this version, all ")
    assert told.endswith(f"{AuditEntry.objects.count()} audit entries are as they were written.\n")


def test_another_master_key(settings: Any) -> None:
    settings.MASTER_KEYS = MasterKeys.parse(generate(2))
    told, why = failure()
    assert "tenants.key.material, row " in told
    assert "does not open (unknown_master_key). api_key v1" in told
    assert "do not open: they were changed, or a master key is missing" in why


def test_a_secret_that_was_changed() -> None:
    key = Key.objects.get(purpose="api_key")
    changed = bytes(key.material)[:-1] + bytes([bytes(key.material)[-1] ^ 1])
    Key.objects.filter(pk=key.pk).update(material=changed)
    told, why = failure()
    assert told.splitlines() == [
        f"tenants.key.material, row {key.pk}: does not open (not_authentic). {key} of {key.flow}"
    ]
    assert why.startswith("1 of ")


def test_a_trail_that_was_set_back(actor: Actor, tmp_path: Path) -> None:
    kept = tmp_path / "checkpoint.json"
    length = AuditEntry.objects.count()
    lifecycle.create_client(actor, slug="later")
    kept.write_text(run("audit_checkpoint"))
    assert "are as they were written" in run("check_installation", "--checkpoint", str(kept))
    append_only.remove(connection)
    AuditEntry.objects.filter(pk__gt=length).delete()
    AuditHead.objects.update(length=length, digest=AuditEntry.objects.get(pk=length).digest)
    append_only.install(connection)
    told, why = failure("--checkpoint", str(kept))
    assert (
        told == f"cut: Entry {length + 1} was there when the checkpoint was made, and is missing.\n"
    )
    assert why == "The audit trail is not whole: 1 faults."


def test_tables_of_another_version() -> None:
    MigrationRecorder.Migration.objects.filter(app="tenants").latest("id").delete()
    assert failure() == ("", "Migrations: pending; run manage.py migrate.")
