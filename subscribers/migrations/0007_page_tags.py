"""Changes of newsletters and of legal texts raise the tags of the pages that show them."""

from django.db import migrations

# A newsletter that is offered is in the sign-up of every page, with its cadences. The clock notes in an offer up to
# when it has composed, which is no news to other pages than the newsletter's own.
NEWSLETTERS = """
CREATE TRIGGER newsletter_raises_pages AFTER INSERT OR UPDATE OR DELETE ON subscribers_newsletter
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'newsletter:*', 'publication');
CREATE TRIGGER newsletter_section_raises_pages AFTER INSERT OR UPDATE OR DELETE ON subscribers_newsletter_sections
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('newsletter_id', 'newsletter:*', 'publication');
CREATE TRIGGER offer_raises_pages AFTER INSERT OR DELETE ON subscribers_cadenceoffer
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('newsletter_id', 'newsletter:*', 'publication');
CREATE TRIGGER offer_change_raises_pages AFTER UPDATE ON subscribers_cadenceoffer FOR EACH ROW
    WHEN ((OLD.newsletter_id, OLD.cadence, OLD.send_at, OLD.weekday, OLD.day_of_month, OLD.is_active, OLD.active_since)
        IS DISTINCT FROM
        (NEW.newsletter_id, NEW.cadence, NEW.send_at, NEW.weekday, NEW.day_of_month, NEW.is_active, NEW.active_since))
    EXECUTE FUNCTION publication_raise_row('newsletter_id', 'newsletter:*', 'publication');
CREATE TRIGGER offer_run_raises_pages AFTER UPDATE ON subscribers_cadenceoffer
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('newsletter_id', 'newsletter:*');
"""

# The foot of every page names the legal documents.
LEGAL = """
CREATE TRIGGER legal_document_raises_pages AFTER INSERT OR UPDATE OR DELETE ON subscribers_legaldocument
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'legal');
CREATE TRIGGER legal_version_raises_pages AFTER INSERT OR UPDATE OR DELETE ON subscribers_legalversion
    FOR EACH ROW EXECUTE FUNCTION publication_raise_row('id', 'legal');
"""

BACK = """
DROP TRIGGER legal_version_raises_pages ON subscribers_legalversion;
DROP TRIGGER legal_document_raises_pages ON subscribers_legaldocument;
DROP TRIGGER offer_run_raises_pages ON subscribers_cadenceoffer;
DROP TRIGGER offer_change_raises_pages ON subscribers_cadenceoffer;
DROP TRIGGER offer_raises_pages ON subscribers_cadenceoffer;
DROP TRIGGER newsletter_section_raises_pages ON subscribers_newsletter_sections;
DROP TRIGGER newsletter_raises_pages ON subscribers_newsletter;
"""


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0006_reader_name"), ("publication", "0003_page_versions")]

    operations = [migrations.RunSQL([NEWSLETTERS, LEGAL], BACK)]
