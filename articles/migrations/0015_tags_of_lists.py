"""A story raises the tags of its authors' and labels' lists, and not of every page that names them."""

from django.db import migrations

LISTS = """
CREATE OR REPLACE FUNCTION articles_raise_story(story bigint, section bigint) RETURNS void LANGUAGE sql AS $$
    SELECT publication_raise(VARIADIC
        ARRAY['front', 'feed', 'article:' || story, 'section:' || section]
        || ARRAY(SELECT 'tag:' || tag_id || ':stories' FROM articles_article_tags WHERE article_id = story)
        || ARRAY(SELECT 'author:' || author_id || ':stories' FROM articles_byline WHERE article_id = story)
        || ARRAY(SELECT 'translations:' || coalesce(translation_of_id, id) FROM articles_article WHERE id = story)
    )
$$;
CREATE OR REPLACE FUNCTION articles_raise_part() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    rows jsonb[] := '{}';
    part jsonb;
    desk bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        rows := rows || to_jsonb(OLD);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        rows := rows || to_jsonb(NEW);
    END IF;
    FOREACH part IN ARRAY rows LOOP
        SELECT section_id INTO desk FROM articles_article
        WHERE id = (part ->> 'article_id')::bigint AND state = 'published';
        IF FOUND THEN
            PERFORM articles_raise_story((part ->> 'article_id')::bigint, desk);
            IF TG_NARGS > 0 THEN
                PERFORM publication_raise(TG_ARGV[0] || ':' || (part ->> (TG_ARGV[0] || '_id')) || ':stories');
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
"""

NAMES = LISTS.replace(" || ':stories'", "")


class Migration(migrations.Migration):
    dependencies = [("articles", "0014_translated_names")]

    operations = [migrations.RunSQL(LISTS, NAMES)]
