"""Search: words without accents, by the rules of each language, kept up by triggers; and words for slips."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
from django.db import migrations, models

import publication.fields

# ISO 639 code, the stemmer of PostgreSQL, and whether words in Latin letters are foreign (English) there.
LANGUAGES = """
    ('en', 'english', false), ('ar', 'arabic', true), ('ca', 'catalan', false), ('da', 'danish', false),
    ('de', 'german', false), ('el', 'greek', true), ('es', 'spanish', false), ('eu', 'basque', false),
    ('fi', 'finnish', false), ('fr', 'french', false), ('ga', 'irish', false), ('hi', 'hindi', true),
    ('hu', 'hungarian', false), ('hy', 'armenian', true), ('id', 'indonesian', false), ('it', 'italian', false),
    ('lt', 'lithuanian', false), ('ne', 'nepali', true), ('nl', 'dutch', false), ('no', 'norwegian', false),
    ('nb', 'norwegian', false), ('pt', 'portuguese', false), ('ro', 'romanian', false), ('ru', 'russian', true),
    ('sr', 'serbian', false), ('sv', 'swedish', false), ('ta', 'tamil', true), ('tr', 'turkish', false),
    ('yi', 'yiddish', true)
"""

# A dictionary of its own for each language: PostgreSQL's leave out words such as "the" and "who".
CONFIGURATIONS = f"""
DO $$
DECLARE code text; stemmer text; latin_is_foreign boolean; clauses text := '';
BEGIN
    FOR code, stemmer, latin_is_foreign IN VALUES {LANGUAGES} LOOP
        EXECUTE format('CREATE TEXT SEARCH DICTIONARY articles_%s (TEMPLATE = snowball, LANGUAGE = %s)', code, stemmer);
        EXECUTE format('CREATE TEXT SEARCH CONFIGURATION articles_%s (COPY = pg_catalog.simple)', code);
        EXECUTE format('ALTER TEXT SEARCH CONFIGURATION articles_%1$s ALTER MAPPING FOR word WITH articles_%1$s', code);
        EXECUTE format('ALTER TEXT SEARCH CONFIGURATION articles_%s ALTER MAPPING FOR asciiword WITH articles_%s', code,
            CASE WHEN latin_is_foreign THEN 'en' ELSE code END);
        clauses := clauses || format(' WHEN %L THEN %L::regconfig', code, 'articles_' || code);
    END LOOP;
    -- A language without rules has the words as they are written.
    EXECUTE 'CREATE FUNCTION articles_rules(language text) RETURNS regconfig LANGUAGE sql IMMUTABLE PARALLEL SAFE
        SET search_path FROM CURRENT AS $f$ SELECT CASE split_part(language, ''-'', 1)' || clauses ||
        ' ELSE ''pg_catalog.simple''::regconfig END $f$';
END $$;
"""  # noqa: S608  # a constant

FUNCTIONS = r"""
-- Small letters without accents, as people type them, split at every sign. The breve of й is kept: without it the word
-- would end otherwise. ң, ө and ү are typed as н, о and у where the keyboard has no Kyrgyz letters.
CREATE FUNCTION articles_folded(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT regexp_replace(
        translate(
            regexp_replace(
                normalize(replace(translate(lower(words), 'йøłđıңөү', U&'\E000oldiноу'), 'ß', 'ss'), NFKD),
                U&'[\0300-\036f]', '', 'g'),
            U&'\E000', 'й'),
        '[^[:alnum:]]+', ' ', 'g')
$$;
CREATE FUNCTION articles_words(language text, words text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path FROM CURRENT AS $$
    SELECT to_tsvector(articles_rules(language), articles_folded(words))
$$;
-- The raw query of words beside each other, of which the last may go on.
CREATE FUNCTION articles_beginning(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path FROM CURRENT AS $$
    SELECT coalesce(replace(nullif(trim(articles_folded(words)), ''), ' ', ' <-> ') || ':*', '')
$$;
CREATE FUNCTION articles_shortened(word text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT shortened) FROM (
        SELECT word AS shortened
        UNION ALL SELECT overlay(word PLACING '' FROM place FOR 1) FROM generate_series(1, length(word)) AS place
    ) AS each
$$;
"""

KEPT_UP = r"""
-- The vectors beside the row, so that thousands of rows are ordered by date within milliseconds.
ALTER TABLE articles_searchentry SET (toast_tuple_target = 128);
ALTER TABLE articles_searchentry ADD CONSTRAINT search_entry_article
    FOREIGN KEY (article_id) REFERENCES articles_article ON DELETE CASCADE;

CREATE FUNCTION articles_names(story bigint) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ',
        (SELECT string_agg(author.name, ' ' ORDER BY position) FROM articles_byline
            JOIN articles_author AS author ON author.id = author_id WHERE article_id = story),
        (SELECT name FROM articles_section WHERE id = (SELECT section_id FROM articles_article WHERE id = story)))
$$;
CREATE FUNCTION articles_heads(story articles_article) RETURNS tsvector LANGUAGE sql STABLE AS $$
    SELECT setweight(articles_words('ru', story.headline), 'A') || setweight(articles_words('ru', story.standfirst), 'B')
        || setweight(articles_words('ru', articles_names(story.id)), 'C')
$$;
-- In order, so that two who publish at once do not wait for each other crosswise.
CREATE FUNCTION articles_learn(words text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO articles_searchword (word)
    SELECT DISTINCT word FROM regexp_split_to_table(articles_folded(words), ' ') AS word
    WHERE length(word) BETWEEN 4 AND 20 AND word !~ '[0-9]'
    ORDER BY word
    ON CONFLICT DO NOTHING
$$;
-- PostgreSQL refuses a search vector above 1 MB; 200,000 characters of a text stay below it in any script.
CREATE FUNCTION articles_index(chosen bigint[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO articles_searchentry (article_id, section_id, is_public, published_at, heads, words)
    SELECT id, section_id, state = 'published', published_at, heads,
        heads || setweight(articles_words('ru', left(body_text, 200000)), 'D')
    FROM articles_article AS story, articles_heads(story) AS heads WHERE id = ANY (chosen)
    ON CONFLICT (article_id) DO UPDATE SET section_id = excluded.section_id, is_public = excluded.is_public,
        published_at = excluded.published_at, heads = excluded.heads, words = excluded.words;
    SELECT articles_learn(concat_ws(' ', headline, standfirst, articles_names(id), left(body_text, 20000)))
    FROM articles_article WHERE id = ANY (chosen) AND state = 'published'
$$;
-- A name may stand over thousands of stories, whose texts are not read again.
CREATE FUNCTION articles_index_names(chosen bigint[]) RETURNS void LANGUAGE sql AS $$
    UPDATE articles_searchentry AS entry SET heads = new.heads, words = new.heads || ts_filter(entry.words, '{d}')
    FROM articles_article AS story, articles_heads(story) AS new (heads)
    WHERE entry.article_id = story.id AND story.id = ANY (chosen);
    SELECT articles_learn(string_agg(DISTINCT articles_names(id), ' '))
    FROM articles_article WHERE id = ANY (chosen) AND state = 'published'
$$;

CREATE FUNCTION articles_index_story() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM articles_index(ARRAY[NEW.id]);
    RETURN NULL;
END $$;
CREATE TRIGGER search_new_story AFTER INSERT ON articles_article FOR EACH ROW EXECUTE FUNCTION articles_index_story();
CREATE TRIGGER search_changed_story AFTER UPDATE OF headline, standfirst, body_text, section_id, state, published_at
    ON articles_article FOR EACH ROW
    WHEN ((OLD.headline, OLD.standfirst, OLD.body_text, OLD.section_id, OLD.state, OLD.published_at)
        IS DISTINCT FROM (NEW.headline, NEW.standfirst, NEW.body_text, NEW.section_id, NEW.state, NEW.published_at))
    EXECUTE FUNCTION articles_index_story();

CREATE FUNCTION articles_index_byline() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM articles_index_names(ARRAY[coalesce(NEW.article_id, OLD.article_id)]);
    RETURN NULL;
END $$;
CREATE TRIGGER search_byline AFTER INSERT OR DELETE OR UPDATE OF author_id ON articles_byline
    FOR EACH ROW EXECUTE FUNCTION articles_index_byline();

CREATE FUNCTION articles_index_author() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM articles_index_names(ARRAY(SELECT article_id FROM articles_byline WHERE author_id = NEW.id));
    RETURN NULL;
END $$;
CREATE TRIGGER search_author AFTER UPDATE OF name ON articles_author
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION articles_index_author();

CREATE FUNCTION articles_index_section() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM articles_index_names(ARRAY(SELECT id FROM articles_article WHERE section_id = NEW.id));
    RETURN NULL;
END $$;
CREATE TRIGGER search_section AFTER UPDATE OF name ON articles_section
    FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION articles_index_section();

SELECT articles_index(ARRAY[id]) FROM articles_article;
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0008_comments_that_name_people")]

    operations = [
        migrations.RunSQL(CONFIGURATIONS),
        migrations.RunSQL(FUNCTIONS),
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "article",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="search_entry",
                        serialize=False,
                        to="articles.article",
                    ),
                ),
                (
                    "section",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        to="articles.section",
                    ),
                ),
                ("is_public", models.BooleanField()),
                ("published_at", models.DateTimeField(null=True)),
                ("heads", django.contrib.postgres.search.SearchVectorField()),
                ("words", django.contrib.postgres.search.SearchVectorField()),
            ],
            options={
                "indexes": [
                    django.contrib.postgres.indexes.GinIndex("words", name="search_entry_words"),
                    django.contrib.postgres.indexes.GinIndex("heads", name="search_entry_heads"),
                ]
            },
        ),
        migrations.CreateModel(
            name="SearchWord",
            fields=[
                ("word", publication.fields.TextField(primary_key=True, serialize=False)),
                (
                    "shortened",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func("word", function="articles_shortened"),
                        output_field=django.contrib.postgres.fields.ArrayField(models.TextField()),
                    ),
                ),
            ],
            options={
                "indexes": [django.contrib.postgres.indexes.GinIndex("shortened", name="search_word_shortened")]
            },
        ),
        migrations.RunSQL(KEPT_UP),
        migrations.RemoveIndex("article", "article_words"),
        migrations.RemoveField("article", "search_vector"),
    ]
