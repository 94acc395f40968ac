"""The database's own guard of the audit trail: entries can be added, nothing else.

Triggers refuse UPDATE, DELETE and TRUNCATE of entries, and let the head only count up by one. They
stop mistakes and whoever is not the tables' owner; what an owner does in spite of them is found by
``manage.py verify_audit``. A migration that makes SQLite build one of the two tables anew loses the
triggers with the old table, and must end with :func:`install`.
"""

from __future__ import annotations

from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

_TEXT: Final = "The audit trail is append-only."
_ENTRY: Final = "tenants_auditentry"
_HEAD: Final = "tenants_audithead"

#: Name of each trigger, and what makes it.
_SQLITE: Final = {
    "audit_entry_no_update": f"BEFORE UPDATE ON {_ENTRY} BEGIN SELECT RAISE(ABORT, '{_TEXT}'); END",
    "audit_entry_no_delete": f"BEFORE DELETE ON {_ENTRY} BEGIN SELECT RAISE(ABORT, '{_TEXT}'); END",
    "audit_head_counts_up": f"BEFORE UPDATE ON {_HEAD} "
    f"WHEN NEW.id IS NOT OLD.id OR NEW.length IS NOT OLD.length + 1 "
    f"BEGIN SELECT RAISE(ABORT, '{_TEXT}'); END",
    "audit_head_no_delete": f"BEFORE DELETE ON {_HEAD} BEGIN SELECT RAISE(ABORT, '{_TEXT}'); END",
}
_POSTGRESQL: Final = {
    "audit_entry_no_change": f"BEFORE UPDATE OR DELETE ON {_ENTRY} FOR EACH ROW "
    "EXECUTE FUNCTION sealgate_append_only()",
    "audit_entry_no_truncate": f"BEFORE TRUNCATE ON {_ENTRY} FOR EACH STATEMENT "
    "EXECUTE FUNCTION sealgate_append_only()",
    "audit_head_counts_up": f"BEFORE UPDATE ON {_HEAD} FOR EACH ROW "
    "WHEN (NEW.id <> OLD.id OR NEW.length <> OLD.length + 1) "
    "EXECUTE FUNCTION sealgate_append_only()",
    "audit_head_no_delete": f"BEFORE DELETE ON {_HEAD} FOR EACH ROW "
    "EXECUTE FUNCTION sealgate_append_only()",
    "audit_head_no_truncate": f"BEFORE TRUNCATE ON {_HEAD} FOR EACH STATEMENT "
    "EXECUTE FUNCTION sealgate_append_only()",
}
_FUNCTION: Final = (
    "CREATE OR REPLACE FUNCTION sealgate_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ "
    f"BEGIN RAISE EXCEPTION '{_TEXT}' USING ERRCODE = 'restrict_violation'; END $$"
)


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the triggers, anew where they are there."""
    remove(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_FUNCTION)
        for name, rule in _triggers(connection).items():
            cursor.execute(f"CREATE TRIGGER {name} {rule}")


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers."""
    with connection.cursor() as cursor:
        for name in _triggers(connection):
            table = _ENTRY if name.startswith("audit_entry") else _HEAD
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the triggers that are not there or are switched off."""
    question = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.vendor == "postgresql":
        question = "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'"
    with connection.cursor() as cursor:
        cursor.execute(question)
        there = {row[0] for row in cursor.fetchall()}
    return sorted(set(_triggers(connection)) - there)


def _triggers(connection: BaseDatabaseWrapper) -> dict[str, str]:
    return _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
