"""Variants of an issue for readers who chose topics or a format: further columns of the key that copies name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("digests", "0010_outcomes_by_language"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="variant",
            name="variant_once_per_language",
        ),
        migrations.AddField(
            model_name="variant",
            name="reading",
            field=models.CharField(blank=True, max_length=12),
        ),
        migrations.AddField(
            model_name="variant",
            name="topics",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="variant",
            field=models.CharField(editable=False, max_length=24, null=True),
        ),
        migrations.AlterField(
            model_name="issueoutcome",
            name="variant",
            field=models.CharField(blank=True, max_length=24),
        ),
        migrations.AlterField(
            model_name="variant",
            name="language",
            field=models.CharField(blank=True, max_length=12),
        ),
        migrations.AddConstraint(
            model_name="variant",
            constraint=models.UniqueConstraint(
                fields=("snapshot", "language", "topics", "reading"), name="variant_once_per_readers"
            ),
        ),
    ]
