"""What the roles may do with endpoints, replays and what receivers answered."""

from importlib import import_module

from django.db import migrations

LOOK = ("callbacks.view_endpoint", "callbacks.view_replay")
OPERATE = ("callbacks.operate_endpoint", "callbacks.read_answer")

ROLES = {
    "Viewer": LOOK,
    "Operator": (*LOOK, *OPERATE),
    "Key officer": LOOK,
    "Approver": LOOK,
    "Administrator": (*LOOK, *OPERATE),
}


def grant(apps, schema_editor):
    import_module("console.migrations.0001_roles").grant(apps, schema_editor, ROLES)


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0003_key_life_roles"),
        ("callbacks", "0005_delivery_rules"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
