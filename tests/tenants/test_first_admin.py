"""The first administrator: made once, with a password only the operator can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import QuerySet

from tenants.management.commands import first_admin

pytestmark = pytest.mark.django_db


def make(path: Path) -> None:
    call_command("first_admin", password_file=path)


def test_it_can_sign_in_and_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "admin-password"
    make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    password = path.read_text().strip()
    user = get_user_model().objects.get(username="admin")
    assert user.check_password(password) and user.is_superuser
    make(path)
    assert path.read_text().strip() == password
    assert get_user_model().objects.count() == 1


def test_a_file_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "admin-password", tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    elsewhere.chmod(0o644)
    path.symlink_to(elsewhere)
    make(path)
    assert elsewhere.read_text() == "kept"
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600


def test_whoever_comes_second_writes_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "admin-password"
    make(path)
    password = path.read_text()
    looked, asked = QuerySet.exists, []

    def too_early(rows: QuerySet[Any]) -> bool:
        asked.append(rows)
        return len(asked) > 1 and looked(rows)

    monkeypatch.setattr(QuerySet, "exists", too_early)
    make(path)
    assert path.read_text() == password
    assert get_user_model().objects.count() == 1


def test_a_user_admin_without_rights_stays_as_it_is(tmp_path: Path) -> None:
    get_user_model().objects.create_user("admin", password="x")
    with pytest.raises(CommandError, match="createsuperuser"):
        make(tmp_path / "admin-password")
    assert not list(tmp_path.iterdir())
    assert not get_user_model().objects.filter(is_superuser=True).exists()


def test_without_the_file_there_is_no_user(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        make(tmp_path / "missing" / "admin-password")
    assert not get_user_model().objects.exists()


def test_a_write_that_breaks_off_leaves_no_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(first_admin, "_write_private", full)
    with pytest.raises(CommandError, match="No space left"):
        make(tmp_path / "admin-password")
    assert not get_user_model().objects.exists()
