from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("digests", "0013_readers_lock_by_name")]

    operations = [
        # A constant default: PostgreSQL rewrites none of the rows.
        migrations.AddField(
            "delivery", "disturbances", models.PositiveSmallIntegerField(db_default=0, default=0)
        ),
    ]
