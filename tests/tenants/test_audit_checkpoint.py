"""A checkpoint kept elsewhere shows that the trail was cut off or set back."""

from __future__ import annotations

import base64
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from tenants import append_only, audit_chain
from tenants.actors import Actor
from tenants.models import AuditEntry, AuditHead, InternalSecret

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _trail(db: None, actor: Actor) -> None:
    append_only.install(connection)
    with transaction.atomic():
        for number in range(5):
            audit_chain.append(actor, "test", after={"number": number})


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.json"
    path.write_text(run("audit_checkpoint"))
    return path


def set_back(length: int) -> None:
    append_only.remove(connection)
    AuditEntry.objects.filter(pk__gt=length).delete()
    AuditHead.objects.update(length=length, digest=AuditEntry.objects.get(pk=length).digest)
    append_only.install(connection)


def test_a_backup_made_before_the_first_checkpoint_has_its_secret() -> None:
    assert InternalSecret.objects.filter(name="checkpoint").exists()


def test_others_can_check_the_signature(kept: Path) -> None:
    checkpoint: dict[str, Any] = json.loads(kept.read_text())
    last = AuditEntry.objects.get(pk=5)
    assert (checkpoint["length"], checkpoint["digest"]) == (5, last.digest)
    signature = base64.b64decode(checkpoint.pop("signature"))
    public = load_pem_public_key(checkpoint["public_key_pem"].encode())
    assert isinstance(public, Ed25519PublicKey)
    signed = json.dumps(checkpoint, sort_keys=True, separators=(",", ":")).encode("ascii")
    public.verify(signature, signed)


def test_a_trail_that_went_on_is_well(kept: Path, actor: Actor) -> None:
    with transaction.atomic():
        audit_chain.append(actor, "test")
    assert run("verify_audit", "--checkpoint", str(kept)).startswith("6 entries, all as")


def test_a_trail_that_was_cut_off_is_found(kept: Path) -> None:
    set_back(3)
    assert run("verify_audit").startswith("3 entries, all as")
    with pytest.raises(CommandError, match="1 faults"):
        run("verify_audit", "--checkpoint", str(kept))


def test_another_end_of_the_same_length_is_found(kept: Path, actor: Actor) -> None:
    set_back(3)
    with transaction.atomic():
        audit_chain.append(actor, "other")
        audit_chain.append(actor, "other")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--checkpoint", str(kept), stdout=out)
    assert out.getvalue() == (
        "replaced: Entry 5 is another one than when the checkpoint was made.\n"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("length", 3), ("digest", "0" * 64), ("at", "2020-01-01T00:00:00+00:00")]
)
def test_a_changed_checkpoint_is_not_believed(kept: Path, name: str, value: object) -> None:
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {name: value}))
    with pytest.raises(CommandError, match="was changed, or is of another installation"):
        run("verify_audit", "--checkpoint", str(kept))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "{}", '{"signature": 3}', '{"signature": "é"}', "[" * 5000]
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(CommandError, match="is not a checkpoint"):
        run("verify_audit", "--checkpoint", str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run("verify_audit", "--checkpoint", str(tmp_path / "nothing"))


def test_a_trail_that_is_not_whole_gets_no_checkpoint() -> None:
    append_only.remove(connection)
    AuditEntry.objects.filter(pk=2).delete()
    append_only.install(connection)
    with pytest.raises(CommandError, match="not whole"):
        run("audit_checkpoint")
