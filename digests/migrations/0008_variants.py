"""Issues in the languages of their readers: words per language, variants of the snapshot, and which one a copy is of."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# A column that may be empty costs the copies without it no byte, and adding it touches no row. The partitions have it
# too, and those of later months are made like the table.
COLUMN = "ALTER TABLE digests_delivery ADD COLUMN variant varchar(12)"
BACK = "ALTER TABLE digests_delivery DROP COLUMN variant"

FROZEN = """
CREATE TRIGGER variant_is_frozen BEFORE UPDATE ON digests_variant
    FOR EACH ROW EXECUTE FUNCTION digests_refuse_snapshot_change();
"""
THAWED = "DROP TRIGGER variant_is_frozen ON digests_variant"


class Migration(migrations.Migration):
    dependencies = [("digests", "0007_editors")]

    operations = [
        migrations.AddField(
            model_name="issue",
            name="translations",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.CreateModel(
            name="Variant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(max_length=200)),
                ("preheader", models.CharField(blank=True, max_length=200)),
                ("html", models.TextField()),
                ("text", models.TextField()),
                ("headers", models.JSONField()),
                ("compiled", models.JSONField()),
                ("format", models.PositiveSmallIntegerField(default=1)),
                ("sha256", models.CharField(max_length=64)),
                ("language", models.CharField(max_length=12)),
                (
                    "stories",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, size=None
                    ),
                ),
                (
                    "snapshot",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="variants", to="digests.snapshot"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("snapshot", "language"), name="variant_once_per_language")
                ],
            },
        ),
        migrations.RunSQL(FROZEN, THAWED),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(COLUMN, BACK)],
            state_operations=[
                migrations.AddField(
                    model_name="delivery",
                    name="variant",
                    field=models.CharField(editable=False, max_length=12, null=True),
                ),
            ],
        ),
    ]
