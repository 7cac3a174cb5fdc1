"""An event is due until it is settled, so that a worker finds new ones and waiting ones alike."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('digests', '0005_claims_begin_at_their_issue'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='deliveryevent',
            name='event_parked',
        ),
        migrations.AddField(
            model_name='deliveryevent',
            name='due_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AddIndex(
            model_name='deliveryevent',
            index=models.Index(models.F('due_at'), condition=models.Q(('settled_at__isnull', True)), name='event_due'),
        ),
        migrations.AddIndex(
            model_name='deliveryevent',
            index=models.Index(models.F('delivery_uuid'), condition=models.Q(('provider__in', ['dsn', 'arf'])), name='event_returned'),
        ),
    ]
