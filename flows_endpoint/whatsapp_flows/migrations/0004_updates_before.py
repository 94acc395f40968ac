"""Updates that came before anybody read them are done: their alerts and statuses are past."""

from django.db import migrations, models


def mark_processed(apps, schema_editor):
    updates = apps.get_model("whatsapp_flows", "WebhookUpdate")
    updates.objects.filter(processed_at=None).update(processed_at=models.F("received_at"))


class Migration(migrations.Migration):
    dependencies = [("whatsapp_flows", "0003_cloud_api")]

    operations = [migrations.RunPython(mark_processed, migrations.RunPython.noop, elidable=True)]
