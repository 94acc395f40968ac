import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('callbacks', '0004_fill_endpoints'),
    ]

    operations = [
        migrations.AlterField(
            model_name='delivery',
            name='endpoint',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='callbacks.endpoint'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('next_attempt_at__isnull', False), ('state', 'pending')), fields=['endpoint', 'urgency', 'next_attempt_at'], name='delivery_claimable'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('lease_token__isnull', False)), fields=['endpoint', 'leased_until'], name='delivery_leased'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(models.F('endpoint'), models.F('lane'), models.F('position'), condition=models.Q(('state', 'pending'), models.Q(('lane', ''), _negated=True)), name='delivery_lane_pending'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('settled_at__isnull', False)), fields=['settled_at'], name='delivery_settled'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['flow', 'created_at'], name='delivery_of_flow'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'failed')), fields=['created_at'], name='delivery_dead_letters'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('replay__isnull', False)), fields=['replay'], name='delivery_of_replay'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'delivered', 'failed', 'cancelled'])), name='delivery_state_known'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('settled_at__isnull', True), ('state', 'pending')), models.Q(models.Q(('state', 'pending'), _negated=True), ('settled_at__isnull', False)), _connector='OR'), name='delivery_settled_has_time'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lane', ''), ('position__isnull', True)), models.Q(models.Q(('lane', ''), _negated=True), ('position__isnull', False)), _connector='OR'), name='delivery_place_in_a_lane'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('next_attempt_at__isnull', True), ('state', 'pending'), _negated=True), models.Q(('lane', ''), _negated=True), _connector='OR'), name='delivery_waits_only_in_a_lane'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(condition=models.Q(('lane', ''), _negated=True), fields=('endpoint', 'lane', 'position'), name='delivery_place_once'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(condition=models.Q(('next_attempt_at__isnull', False), ('state', 'pending'), models.Q(('lane', ''), _negated=True)), fields=('endpoint', 'lane'), name='delivery_one_head_a_lane'),
        ),
    ]
