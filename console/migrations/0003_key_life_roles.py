"""What the roles may do with hand-overs and requests for a second person."""

from importlib import import_module

from django.db import migrations

LOOK = ("tenants.view_handover", "tenants.view_approvalrequest")
HAND_OVER = ("tenants.add_handover", "tenants.change_handover")
DECIDE = ("tenants.decide_approvalrequest",)

ROLES = {
    "Viewer": LOOK,
    "Operator": LOOK,
    "Key officer": (*LOOK, *HAND_OVER),
    "Approver": (*LOOK, *DECIDE),
    "Administrator": (*LOOK, *HAND_OVER, *DECIDE),
}


def grant(apps, schema_editor):
    import_module("console.migrations.0001_roles").grant(apps, schema_editor, ROLES)


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0002_second_factor"),
        ("tenants", "0006_key_life"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
