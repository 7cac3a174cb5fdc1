"""A story that was withdrawn and is published again says when, so that the digests that missed it can have it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("articles", "0001_initial")]

    operations = [
        migrations.AddField("article", "republished_at", models.DateTimeField(blank=True, editable=False, null=True)),
    ]
