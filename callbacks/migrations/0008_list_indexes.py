
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('callbacks', '0007_operations'),
        ('tenants', '0009_list_indexes'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='delivery',
            name='delivery_not_delivered',
        ),
        migrations.RemoveIndex(
            model_name='delivery',
            name='delivery_of_subject',
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'delivered'), _negated=True), fields=['state', 'created_at'], name='delivery_not_delivered'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('subject', ''), _negated=True), fields=['subject', 'created_at'], name='delivery_of_subject'),
        ),
    ]
