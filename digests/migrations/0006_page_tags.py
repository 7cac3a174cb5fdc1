"""Changes of issues that have a number raise the tags of the archive's pages."""

from django.db import migrations

ISSUES = """
CREATE FUNCTION digests_raise_issue(changed bigint) RETURNS void LANGUAGE sql AS $$
    SELECT publication_raise('issue:' || id, 'newsletter:' || newsletter_id) FROM digests_issue
    WHERE id = changed AND number IS NOT NULL
$$;

CREATE FUNCTION digests_raise_issue_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - 'updated_at' = to_jsonb(NEW) - 'updated_at' THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.number IS NOT NULL THEN
        PERFORM publication_raise('issue:' || OLD.id, 'newsletter:' || OLD.newsletter_id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.number IS NOT NULL THEN
        PERFORM publication_raise('issue:' || NEW.id, 'newsletter:' || NEW.newsletter_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER issue_raises_pages AFTER INSERT OR UPDATE OR DELETE ON digests_issue
    FOR EACH ROW EXECUTE FUNCTION digests_raise_issue_row();
"""

PARTS = """
CREATE FUNCTION digests_raise_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM digests_raise_issue(OLD.issue_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM digests_raise_issue(NEW.issue_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER issue_item_raises_pages AFTER INSERT OR UPDATE OR DELETE ON digests_issueitem
    FOR EACH ROW EXECUTE FUNCTION digests_raise_part();
CREATE TRIGGER snapshot_raises_pages AFTER INSERT OR DELETE ON digests_snapshot
    FOR EACH ROW EXECUTE FUNCTION digests_raise_part();
"""

# The page of all stories of an issue leaves out those that are not public, and has them again when they are.
STORIES = """
CREATE FUNCTION digests_raise_story() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM digests_raise_issue(issue_id) FROM digests_issueitem WHERE article_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER article_state_raises_issues AFTER UPDATE ON articles_article FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION digests_raise_story();
"""

BACK = """
DROP TRIGGER article_state_raises_issues ON articles_article;
DROP FUNCTION digests_raise_story();
DROP TRIGGER snapshot_raises_pages ON digests_snapshot;
DROP TRIGGER issue_item_raises_pages ON digests_issueitem;
DROP FUNCTION digests_raise_part();
DROP TRIGGER issue_raises_pages ON digests_issue;
DROP FUNCTION digests_raise_issue_row();
DROP FUNCTION digests_raise_issue(bigint);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("digests", "0005_issues_planned"),
        ("articles", "0007_page_tags"),
        ("publication", "0003_page_versions"),
    ]

    operations = [migrations.RunSQL([ISSUES, PARTS, STORIES], BACK)]
