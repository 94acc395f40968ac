"""Checkpoints of the audit trail are signed with a secret that every backup has in it.

Made by the first checkpoint it would be missing in all backups before, and after a restore of one
no checkpoint could be compared.
"""

import os

from django.db import migrations

from tenants import at_rest


def make(apps, schema_editor):
    InternalSecret = apps.get_model("tenants", "InternalSecret")
    if not InternalSecret.objects.filter(name="checkpoint").exists():
        sealed = at_rest.seal(os.urandom(32), "tenants.internalsecret|checkpoint")
        InternalSecret.objects.create(name="checkpoint", sealed=sealed)


class Migration(migrations.Migration):

    dependencies = [("tenants", "0011_key_ends_soon")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
