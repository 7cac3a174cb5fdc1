"""Search: sections, authors and tags by their names in every language, and their stories by those of their own."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations, models

NAMES = """
CREATE OR REPLACE FUNCTION articles_names(story bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ',
        (SELECT string_agg(concat_ws(' ', author.name, author.translations #>> ARRAY[language, 'name']), ' '
                ORDER BY position)
            FROM articles_byline JOIN articles_author AS author ON author.id = author_id WHERE article_id = article.id),
        (SELECT concat_ws(' ', name, translations #>> ARRAY[language, 'name']) FROM articles_section
            WHERE id = section_id))
    FROM articles_article AS article WHERE id = story
$$;
DROP TRIGGER search_author ON articles_author;
CREATE TRIGGER search_author AFTER UPDATE OF name, translations ON articles_author FOR EACH ROW
    WHEN ((OLD.name, OLD.translations) IS DISTINCT FROM (NEW.name, NEW.translations))
    EXECUTE FUNCTION articles_index_author();
DROP TRIGGER search_section ON articles_section;
CREATE TRIGGER search_section AFTER UPDATE OF name, translations ON articles_section FOR EACH ROW
    WHEN ((OLD.name, OLD.translations) IS DISTINCT FROM (NEW.name, NEW.translations))
    EXECUTE FUNCTION articles_index_section();
"""

# The index has all names of a row, as they are written: which language is the publication's first it cannot know. So it
# is asked for beginnings of words, and what it finds is compared by the rules of each language. A stem that is not the
# word itself may differ from it in its last letter (city, citi).
CALLED = """
CREATE FUNCTION articles_called(name text, translations jsonb) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
COST 1000 SET search_path FROM CURRENT AS $$
    SELECT to_tsvector('pg_catalog.simple', articles_folded(concat_ws(' ', name,
        (SELECT string_agg(words ->> 'name', ' ') FROM jsonb_each(translations) AS each (language, words)))))
$$;
-- A raw query.
CREATE FUNCTION articles_nearly(languages text[], words text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $$
    SELECT string_agg('(' || beginnings || ')', ' | ') FROM (
        SELECT string_agg(CASE WHEN stem = word THEN word ELSE left(stem, greatest(length(stem) - 1, 1)) END || ':*',
            ' & ') AS beginnings
        FROM unnest(languages) AS language, regexp_split_to_table(trim(articles_folded(words)), ' ') AS word,
            LATERAL (SELECT coalesce((tsvector_to_array(articles_words(language, word)))[1], word)) AS its (stem)
        WHERE word <> '' GROUP BY language
    ) AS each
$$;
"""

INDEXES = [
    migrations.AddIndex(
        model,
        django.contrib.postgres.indexes.GinIndex(
            models.Func(
                "name",
                "translations",
                function="articles_called",
                output_field=django.contrib.postgres.search.SearchVectorField(),
            ),
            name=f"{model}_called",
        ),
    )
    for model in ("author", "tag")
]

# Without a translated name nothing changes.
AGAIN = """
SELECT articles_index_names(ARRAY(
    SELECT article.id FROM articles_article AS article
    JOIN articles_section AS section ON section.id = section_id AND section.translations ? language
    UNION
    SELECT article.id FROM articles_article AS article
    JOIN articles_byline ON article_id = article.id
    JOIN articles_author AS author ON author.id = author_id AND author.translations ? language
));
"""

BEFORE = """
CREATE OR REPLACE FUNCTION articles_names(story bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ',
        (SELECT string_agg(author.name, ' ' ORDER BY position) FROM articles_byline
            JOIN articles_author AS author ON author.id = author_id WHERE article_id = story),
        (SELECT name FROM articles_section WHERE id = (SELECT section_id FROM articles_article WHERE id = story)))
$$;
DROP TRIGGER search_author ON articles_author;
CREATE TRIGGER search_author AFTER UPDATE OF name ON articles_author
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION articles_index_author();
DROP TRIGGER search_section ON articles_section;
CREATE TRIGGER search_section AFTER UPDATE OF name ON articles_section
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION articles_index_section();
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0015_tags_of_lists")]

    operations = [
        migrations.RunSQL(NAMES + AGAIN, BEFORE + AGAIN),
        migrations.RunSQL(
            CALLED, "DROP FUNCTION articles_nearly(text[], text); DROP FUNCTION articles_called(text, jsonb)"
        ),
        *INDEXES,
    ]
