"""From here on the database refuses to change or delete what the audit trail says."""

from django.db import migrations, models

from tenants import append_only


def install(apps, schema_editor):
    append_only.install(schema_editor.connection)


def remove(apps, schema_editor):
    append_only.remove(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [("tenants", "0004_audit_chain_fill")]

    operations = [
        migrations.AddConstraint(
            model_name="auditentry",
            constraint=models.CheckConstraint(
                condition=models.Q(("digest", ""), _negated=True), name="audit_entry_is_chained"
            ),
        ),
        migrations.RunPython(install, remove),
    ]
