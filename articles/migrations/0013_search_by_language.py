"""Search: each story by the rules of its own language."""

from django.db import migrations

from publication import fields

# Which words say nothing is known by PostgreSQL's own configuration of a language; those of other scripts know the
# English ones too. ISO 639 code, and its name.
COMMON = """
CREATE FUNCTION articles_common(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE split_part(language, '-', 1)
        WHEN 'en' THEN 'pg_catalog.english'::regconfig WHEN 'da' THEN 'pg_catalog.danish'
        WHEN 'de' THEN 'pg_catalog.german' WHEN 'es' THEN 'pg_catalog.spanish' WHEN 'fi' THEN 'pg_catalog.finnish'
        WHEN 'fr' THEN 'pg_catalog.french' WHEN 'hu' THEN 'pg_catalog.hungarian' WHEN 'it' THEN 'pg_catalog.italian'
        WHEN 'ne' THEN 'pg_catalog.nepali' WHEN 'nl' THEN 'pg_catalog.dutch' WHEN 'no' THEN 'pg_catalog.norwegian'
        WHEN 'nb' THEN 'pg_catalog.norwegian' WHEN 'pt' THEN 'pg_catalog.portuguese'
        WHEN 'ru' THEN 'pg_catalog.russian' WHEN 'sv' THEN 'pg_catalog.swedish' WHEN 'tr' THEN 'pg_catalog.turkish'
        ELSE 'pg_catalog.simple' END
$$;
"""

BY_LANGUAGE = """
CREATE OR REPLACE FUNCTION articles_heads(story articles_article) RETURNS tsvector LANGUAGE sql STABLE AS $$
    SELECT setweight(articles_words(story.language, story.headline), 'A')
        || setweight(articles_words(story.language, story.standfirst), 'B')
        || setweight(articles_words(story.language, articles_names(story.id)), 'C')
$$;
CREATE OR REPLACE FUNCTION articles_index(chosen bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO articles_searchentry (article_id, section_id, language, is_public, published_at, heads, words)
    SELECT id, section_id, language, state = 'published', published_at, heads,
        heads || setweight(articles_words(language, left(body_text, 200000)), 'D')
    FROM articles_article AS story, articles_heads(story) AS heads WHERE id = ANY (chosen)
    ON CONFLICT (article_id) DO UPDATE SET section_id = excluded.section_id, language = excluded.language,
        is_public = excluded.is_public, published_at = excluded.published_at, heads = excluded.heads,
        words = excluded.words;
    SELECT articles_learn(concat_ws(' ', headline, standfirst, articles_names(id), left(body_text, 20000)))
    FROM articles_article WHERE id = ANY (chosen) AND state = 'published'
$$;
DROP TRIGGER search_changed_story ON articles_article;
CREATE TRIGGER search_changed_story
    AFTER UPDATE OF headline, standfirst, body_text, section_id, language, state, published_at
    ON articles_article FOR EACH ROW
    WHEN ((OLD.headline, OLD.standfirst, OLD.body_text, OLD.section_id, OLD.language, OLD.state, OLD.published_at)
        IS DISTINCT FROM
        (NEW.headline, NEW.standfirst, NEW.body_text, NEW.section_id, NEW.language, NEW.state, NEW.published_at))
    EXECUTE FUNCTION articles_index_story();
SELECT articles_index(ARRAY[id]) FROM articles_article;
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0012_pictures_without_avif")]

    operations = [
        migrations.AddField(
            "searchentry", "language", fields.CharField(max_length=12, default=""), preserve_default=False
        ),
        migrations.RunSQL(COMMON),
        migrations.RunSQL(BY_LANGUAGE),
    ]
