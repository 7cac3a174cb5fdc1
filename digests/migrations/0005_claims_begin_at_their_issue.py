
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('digests', '0004_bounces_after_which_nobody_tries'),
    ]

    operations = [
        migrations.AddField(
            model_name='issue',
            name='copies_after',
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='issue',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='digests.issue'),
        ),
    ]
