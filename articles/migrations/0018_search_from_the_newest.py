"""Search: the newest stories by an index, from which a common word is looked for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("articles", "0017_page_of_corrections")]

    operations = [
        migrations.AddIndex(
            "searchentry",
            models.Index(
                models.F("published_at").desc(),
                models.F("article").desc(),
                condition=models.Q(is_public=True),
                name="search_entry_newest",
            ),
        ),
    ]
