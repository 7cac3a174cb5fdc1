"""Topics and formats that readers choose for each newsletter, and the record of their changes."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0017_page_of_corrections"),
        ("subscribers", "0011_leaving_counts"),
    ]

    operations = [
        migrations.AddField(
            model_name="newsletter",
            name="topic_tags",
            field=models.ManyToManyField(
                blank=True,
                help_text="Readers can choose these tags as topics, beside the sections of its stories.",
                related_name="+",
                to="articles.tag",
                verbose_name="tags as topics",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="format",
            field=models.CharField(
                blank=True,
                choices=[("full", "Stories in full"), ("headlines", "Headlines only")],
                db_default="",
                default="",
                editable=False,
                max_length=12,
            ),
        ),
        migrations.CreateModel(
            name="TopicChoice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64, unique=True)),
                ("sections", models.ManyToManyField(related_name="+", to="articles.section")),
                ("tags", models.ManyToManyField(related_name="+", to="articles.tag")),
            ],
        ),
        migrations.CreateModel(
            name="PreferenceChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "format",
                    models.CharField(
                        blank=True,
                        choices=[("full", "Stories in full"), ("headlines", "Headlines only")],
                        max_length=12,
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="preference_changes",
                        to="subscribers.subscription",
                    ),
                ),
                (
                    "topics",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscribers.topicchoice",
                    ),
                ),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.AddField(
            model_name="subscription",
            name="topics",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="subscribers.topicchoice",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("topics__isnull", False), models.Q(("format", ""), _negated=True), _connector="OR"),
                fields=["newsletter"],
                name="subscription_particular",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("format", ""), ("format__in", ["full", "headlines"]), _connector="OR"),
                name="subscription_format_is_known",
            ),
        ),
    ]
