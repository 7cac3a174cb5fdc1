"""An index over all stories that are still before their publication."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("articles", "0005_list_by_change"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="article",
            name="article_in_hands",
        ),
        migrations.AddIndex(
            model_name="article",
            index=models.Index(
                models.F("state"),
                condition=models.Q(("state__in", ["draft", "in_review", "approved", "scheduled"])),
                name="article_in_hands",
            ),
        ),
    ]
