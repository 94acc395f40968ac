"""What the roles may do with messages, alerts and public keys of WhatsApp flows."""

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
    group = apps.get_model("auth", "Group")
    permission = apps.get_model("auth", "Permission")
    for name, granted in ROLES.items():
        # A role that an installation has deleted stays deleted.
        for role in group.objects.filter(name=name):
            for text in granted:
                label, codename = text.split(".")
                role.permissions.add(
                    permission.objects.get(content_type__app_label=label, codename=codename)
                )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("console", "0001_roles"),
        ("whatsapp_flows", "0004_updates_before"),
    ]

    operations = [migrations.RunPython(grant, migrations.RunPython.noop)]
