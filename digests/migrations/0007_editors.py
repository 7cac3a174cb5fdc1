"""Everybody who changed an issue: none of them is its second person."""

from django.conf import settings
from django.db import migrations, models

# Of the issues that are there, the last one is known.
LAST = """
INSERT INTO digests_issue_editors (issue_id, user_id)
SELECT id, edited_by_id FROM digests_issue WHERE edited_by_id IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("digests", "0006_page_tags"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="issue",
            name="editors",
            field=models.ManyToManyField(editable=False, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.RunSQL(LAST, migrations.RunSQL.noop),
    ]
