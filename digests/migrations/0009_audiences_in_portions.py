"""An audience is planned in portions, so that the first copies need not wait for the last reader."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("digests", "0008_readers_are_looked_up_once")]

    operations = [
        migrations.AddField("issue", "readers_after", models.BigIntegerField(blank=True, editable=False, null=True)),
        migrations.AddField("issue", "readers_until", models.BigIntegerField(default=0, editable=False)),
        migrations.AddConstraint(
            "issue",
            models.CheckConstraint(
                condition=Q(readers_after__isnull=True) | Q(state__in=["sending", "paused", "cancelled"]),
                name="issue_ended_is_planned_whole",
            ),
        ),
    ]
