"""The trace in which a timer was set, so that what it does later belongs to it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("flows_endpoint", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="timer",
            name="traceparent",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="The trace it was set in.",
                max_length=55,
            ),
        ),
    ]
