"""The language of legal texts. Those that exist are in the publication's; their words and hashes stay as they are."""

from django.db import migrations

import publication.fields

# The one change of published texts that there is: what they say is not touched.
LANGUAGE = """
ALTER TABLE subscribers_legalversion DISABLE TRIGGER legal_version_keeps_its_text;
ALTER TABLE subscribers_legalversion DISABLE TRIGGER legal_version_raises_pages;
UPDATE subscribers_legalversion SET language = publication_publication.language FROM publication_publication;
ALTER TABLE subscribers_legalversion ENABLE TRIGGER legal_version_raises_pages;
ALTER TABLE subscribers_legalversion ENABLE TRIGGER legal_version_keeps_its_text;
"""


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0009_newsletters_in_readers_languages"), ("publication", "0003_page_versions")]

    operations = [
        migrations.AddField(
            "legalversion", "language", publication.fields.CharField(blank=True, default="", max_length=12)
        ),
        migrations.RunSQL(LANGUAGE, migrations.RunSQL.noop),
    ]
