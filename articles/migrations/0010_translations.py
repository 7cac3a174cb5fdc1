"""The language of stories, and which story they translate. Stories that exist are in the publication's language."""

import django.db.models.deletion
from django.db import migrations, models

import publication.fields

HELP = "Readers find the story on the pages of this language."
# No page says anything else afterwards.
LANGUAGE = """
ALTER TABLE articles_article DISABLE TRIGGER article_raises_pages;
UPDATE articles_article SET language = publication_publication.language FROM publication_publication;
ALTER TABLE articles_article ENABLE TRIGGER article_raises_pages;
"""
# The pages of a group lead to each other.
RAISE = """
CREATE OR REPLACE FUNCTION articles_raise_story(story bigint, section bigint) RETURNS void LANGUAGE sql AS $$
    SELECT publication_raise(VARIADIC
        ARRAY['front', 'feed', 'article:' || story, 'section:' || section]
        || ARRAY(SELECT 'tag:' || tag_id FROM articles_article_tags WHERE article_id = story)
        || ARRAY(SELECT 'author:' || author_id FROM articles_byline WHERE article_id = story)
        || ARRAY(SELECT 'translations:' || coalesce(translation_of_id, id) FROM articles_article WHERE id = story)
    )
$$;
"""
RAISE_AS_BEFORE = """
CREATE OR REPLACE FUNCTION articles_raise_story(story bigint, section bigint) RETURNS void LANGUAGE sql AS $$
    SELECT publication_raise(VARIADIC
        ARRAY['front', 'feed', 'article:' || story, 'section:' || section]
        || ARRAY(SELECT 'tag:' || tag_id FROM articles_article_tags WHERE article_id = story)
        || ARRAY(SELECT 'author:' || author_id FROM articles_byline WHERE article_id = story)
    )
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0009_search"), ("publication", "0003_page_versions")]

    operations = [
        migrations.AddField(
            "article",
            "language",
            publication.fields.CharField(blank=True, default="", help_text=HELP, max_length=12),
            preserve_default=False,
        ),
        migrations.RunSQL(LANGUAGE, migrations.RunSQL.noop),
        migrations.AddField(
            "article",
            "translation_of",
            models.ForeignKey(
                blank=True,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="translations",
                to="articles.article",
            ),
        ),
        migrations.AddField("article", "translated_version", models.PositiveIntegerField(editable=False, null=True)),
        migrations.AddField("article", "stale_since", models.DateTimeField(editable=False, null=True)),
        migrations.AddConstraint(
            "article", models.UniqueConstraint(fields=("translation_of", "language"), name="article_translated_once")
        ),
        migrations.AddConstraint(
            "article",
            models.CheckConstraint(
                condition=models.Q(("translation_of", models.F("id")), _negated=True), name="article_translates_another"
            ),
        ),
        migrations.AddConstraint(
            "article",
            models.CheckConstraint(
                condition=models.Q(("stale_since__isnull", True), ("translation_of__isnull", False), _connector="OR"),
                name="article_stale_is_a_translation",
            ),
        ),
        migrations.AddIndex(
            "article",
            models.Index(
                models.F("language"),
                models.OrderBy(models.F("published_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("state", "published")),
                name="article_newest_in",
            ),
        ),
        migrations.RunSQL(RAISE, RAISE_AS_BEFORE),
    ]
