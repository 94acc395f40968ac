"""The product's own secrets and the epoch's row exist before the first request asks for them."""

import os

from django.db import migrations

from tenants import at_rest


def make(apps, schema_editor):
    InternalSecret = apps.get_model("tenants", "InternalSecret")
    for name in ("lookup", "fingerprint"):
        if not InternalSecret.objects.filter(name=name).exists():
            sealed = at_rest.seal(os.urandom(32), f"tenants.internalsecret|{name}")
            InternalSecret.objects.create(name=name, sealed=sealed)
    apps.get_model("tenants", "KeyringEpoch").objects.get_or_create(pk=1)


class Migration(migrations.Migration):

    dependencies = [("tenants", "0001_initial")]

    operations = [migrations.RunPython(make, migrations.RunPython.noop)]
