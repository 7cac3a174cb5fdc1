"""What changes the public page of corrections raises its tag."""

from django.db import migrations

TRIGGERS = """
CREATE TRIGGER correction_raises_list AFTER INSERT OR UPDATE OR DELETE ON articles_correction
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'corrections');
CREATE TRIGGER story_on_record_raises_list AFTER UPDATE ON articles_article
    FOR EACH ROW WHEN (
        'withdrawn' IN (OLD.state, NEW.state)
        OR (OLD.state = 'published') <> (NEW.state = 'published')
        OR (NEW.state = 'published' AND OLD.language <> NEW.language)
    )
    EXECUTE FUNCTION publication_raise_row('id', 'corrections');
CREATE TRIGGER withdrawn_story_raises_list AFTER DELETE ON articles_article
    FOR EACH ROW WHEN (OLD.state = 'withdrawn') EXECUTE FUNCTION publication_raise_row('id', 'corrections');
"""

BACK = """
DROP TRIGGER withdrawn_story_raises_list ON articles_article;
DROP TRIGGER story_on_record_raises_list ON articles_article;
DROP TRIGGER correction_raises_list ON articles_correction;
"""


class Migration(migrations.Migration):
    dependencies = [("articles", "0016_search_by_translated_names")]

    operations = [migrations.RunSQL(TRIGGERS, BACK)]
