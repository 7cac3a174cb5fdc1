"""A copy's usual way changes no indexed column any more, and its page has room for the next version of the row."""

from django.db import migrations, models
from django.db.models import Q

# Without room on its own page a new version goes to another one, and every index has to follow.
ROOM = "ALTER TABLE digests_delivery SET (fillfactor = 50)"
NO_ROOM = "ALTER TABLE digests_delivery RESET (fillfactor)"

LAST_COPIES = """
UPDATE digests_issue AS issue
SET copies_until = (SELECT COALESCE(max(id), 0) FROM digests_delivery WHERE issue_id = issue.id)
"""

# A cancelled issue is at its end once none of its copies is open; so far nobody wrote down when that was.
ENDS = """
UPDATE digests_issue AS issue SET finished_at = now()
WHERE state = 'cancelled' AND finished_at IS NULL AND NOT EXISTS (
    SELECT FROM digests_delivery
    WHERE issue_id = issue.id AND state IN ('pending', 'claimed', 'attempting', 'deferred')
)
"""


class Migration(migrations.Migration):
    dependencies = [("digests", "0006_events_wait_their_turn")]

    operations = [
        migrations.AddField("issue", "copies_until", models.BigIntegerField(default=0, editable=False)),
        migrations.RunSQL(LAST_COPIES, migrations.RunSQL.noop),
        migrations.RunSQL(ENDS, migrations.RunSQL.noop),
        migrations.RemoveIndex("delivery", "delivery_claimable"),
        migrations.RemoveIndex("delivery", "delivery_deferred"),
        migrations.RemoveIndex("delivery", "delivery_leases"),
        migrations.RemoveIndex("delivery", "delivery_uncertain"),
        migrations.RemoveIndex("delivery", "delivery_remote_id"),
        migrations.AddIndex(
            "delivery",
            models.Index("issue", "due_at", condition=Q(due_at__isnull=False), name="delivery_due"),
        ),
        migrations.RunSQL(ROOM, NO_ROOM),
    ]
