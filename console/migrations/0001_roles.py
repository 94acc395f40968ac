"""The roles people are given: groups of permissions.

Runs once: what an installation changes about these groups afterwards stays as it wants it.
"""

from django.contrib.auth.management import create_permissions
from django.db import migrations

LOOK = (
    "tenants.view_client",
    "tenants.view_flow",
    "tenants.view_key",
    "callbacks.view_delivery",
    "flows_endpoint.view_exchangerow",
)
OPERATE = (
    "tenants.add_client",
    "tenants.change_client",
    "tenants.change_flow",
    "callbacks.retry_delivery",
)
# Making a flow issues its first keys, so it takes a key officer.
KEYS = ("tenants.add_flow", "tenants.add_key", "tenants.change_key", "tenants.delete_key")
OVERSEE = ("tenants.view_auditentry",)
PEOPLE = ("auth.view_user", "auth.add_user", "auth.change_user", "auth.view_group")

ROLES = {
    "Viewer": LOOK,
    "Operator": (*LOOK, *OPERATE),
    "Key officer": (*LOOK, *KEYS, *OVERSEE),
    "Approver": (*LOOK, *OVERSEE),
    "Administrator": (*LOOK, *OPERATE, *KEYS, *OVERSEE, *PEOPLE),
}


def make_roles(apps, schema_editor):
    grant(apps, schema_editor, ROLES)


def grant(apps, schema_editor, roles):
    """Give ``roles`` (names of groups, each with permissions) what they list; make those missing."""
    # Django makes permissions after all migrations; these are needed now.
    for label in ("auth", "tenants", "callbacks", "flows_endpoint"):
        config = apps.get_app_config(label)
        config.models_module = True
        create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
        config.models_module = None
    group = apps.get_model("auth", "Group")
    permission = apps.get_model("auth", "Permission")
    for name, granted in roles.items():
        role, _ = group.objects.get_or_create(name=name)
        for text in granted:
            label, codename = text.split(".")
            role.permissions.add(
                permission.objects.get(content_type__app_label=label, codename=codename)
            )


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("tenants", "0002_first_secrets"),
        ("callbacks", "0001_initial"),
        ("flows_endpoint", "0001_initial"),
    ]

    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
