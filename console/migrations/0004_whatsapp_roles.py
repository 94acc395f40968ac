"""What the roles may do with messages, alerts and public keys of WhatsApp flows."""

from importlib import import_module

from django.contrib.auth.management import create_permissions
from django.db import migrations

LOOK = (
    "whatsapp_flows.view_whatsappmessage",
    "whatsapp_flows.view_flowsession",
    "whatsapp_flows.view_flowalert",
    "whatsapp_flows.view_flowhealth",
    "whatsapp_flows.view_phonekey",
    "whatsapp_flows.view_errorreport",
    "whatsapp_flows.view_webhookupdate",
)
OPERATE = ("whatsapp_flows.send_whatsappmessage", "whatsapp_flows.close_flowalert")
KEYS = ("whatsapp_flows.upload_phonekey",)

ROLES = {
    "Viewer": LOOK,
    "Operator": (*LOOK, *OPERATE),
    "Key officer": (*LOOK, *KEYS),
    "Approver": LOOK,
    "Administrator": (*LOOK, *OPERATE, *KEYS),
}


def grant(apps, schema_editor):
    # Django makes permissions after all migrations; these are needed now.
    config = apps.get_app_config("whatsapp_flows")
    config.models_module = True
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    config.models_module = None
    import_module("console.migrations.0001_roles").grant(apps, schema_editor, ROLES)


class Migration(migrations.Migration):
    dependencies = [
        ("console", "0003_key_life_roles"),
        ("whatsapp_flows", "0004_updates_before"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
