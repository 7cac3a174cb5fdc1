"""Changes of stories, and of what is shown with them, raise the tags of the pages that show them."""

from django.db import migrations

STORIES = """
CREATE FUNCTION articles_raise_story(story bigint, section bigint) RETURNS void LANGUAGE sql AS $$
    SELECT publication_raise(VARIADIC
        ARRAY['front', 'feed', 'article:' || story, 'section:' || section]
        || ARRAY(SELECT 'tag:' || tag_id FROM articles_article_tags WHERE article_id = story)
        || ARRAY(SELECT 'author:' || author_id FROM articles_byline WHERE article_id = story)
    )
$$;

CREATE FUNCTION articles_raise_article() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.state = 'published' THEN
        PERFORM articles_raise_story(OLD.id, OLD.section_id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.state = 'published' THEN
        PERFORM articles_raise_story(NEW.id, NEW.section_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER article_raises_pages AFTER INSERT OR UPDATE OR DELETE ON articles_article
    FOR EACH ROW EXECUTE FUNCTION articles_raise_article();
"""

# Rows that belong to a story. The argument is what the tag of the other side is called, if it has one.
PARTS = """
CREATE FUNCTION articles_raise_part() RETURNS trigger LANGUAGE plpgsql AS $$
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
                PERFORM publication_raise(TG_ARGV[0] || ':' || (part ->> (TG_ARGV[0] || '_id')));
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TRIGGER article_tag_raises_pages AFTER INSERT OR UPDATE OR DELETE ON articles_article_tags
    FOR EACH ROW EXECUTE FUNCTION articles_raise_part('tag');
CREATE TRIGGER byline_raises_pages AFTER INSERT OR UPDATE OR DELETE ON articles_byline
    FOR EACH ROW EXECUTE FUNCTION articles_raise_part('author');
CREATE TRIGGER correction_raises_pages AFTER INSERT OR UPDATE OR DELETE ON articles_correction
    FOR EACH ROW EXECUTE FUNCTION articles_raise_part();
"""

# A section is in the navigation of every page.
AROUND = """
CREATE TRIGGER section_raises_pages AFTER INSERT OR UPDATE OR DELETE ON articles_section
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'section:*', 'publication');
CREATE TRIGGER tag_raises_pages AFTER UPDATE OR DELETE ON articles_tag
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'tag:*', 'feed');
CREATE TRIGGER author_raises_pages AFTER UPDATE OR DELETE ON articles_author
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'author:*', 'feed');
CREATE TRIGGER image_raises_pages AFTER UPDATE OR DELETE ON articles_image
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'image:*', 'feed');
"""

BACK = """
DROP TRIGGER image_raises_pages ON articles_image;
DROP TRIGGER author_raises_pages ON articles_author;
DROP TRIGGER tag_raises_pages ON articles_tag;
DROP TRIGGER section_raises_pages ON articles_section;
DROP TRIGGER correction_raises_pages ON articles_correction;
DROP TRIGGER byline_raises_pages ON articles_byline;
DROP TRIGGER article_tag_raises_pages ON articles_article_tags;
DROP FUNCTION articles_raise_part();
DROP TRIGGER article_raises_pages ON articles_article;
DROP FUNCTION articles_raise_article();
DROP FUNCTION articles_raise_story(bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0006_stories_at_work"), ("publication", "0003_page_versions")]

    operations = [migrations.RunSQL([STORIES, PARTS, AROUND], BACK)]
