"""Why an issue is in its state: a code and parameters instead of a sentence."""

from django.db import migrations, models

import digests.issue_reasons
import publication.fields
from core.stored_sentences import Rule, to_codes

RULES = (
    Rule(r"^Opened again by (.*)$", "reopened", ("name",)),
    Rule(r"^No story was published in this window\.$", "nothing_published"),
    Rule(r"^Missed: the clock did not run at its hour\.", "run_unseen"),
    Rule(r"^Left out: its hour had passed", "run_overtaken"),
    Rule(r"^Skipped: the clock came back too late for this run\.", "run_too_late"),
    Rule(r"^Not sent: it could not begin to leave in time\. Its stories go", "stale_digest"),
    Rule(r"^Not sent: it could not begin to leave in time\.$", "stale"),
    Rule(r"^“(.*)” was withdrawn after the approval\.", "story_withdrawn", ("story",)),
    Rule(r"^“(.*)” was withdrawn while the issue was being sent\.", "story_withdrawn_late", ("story",)),
    Rule(r"^The frozen text was damaged in the database\.", "text_damaged"),
    Rule(r"^Composed by a host whose clock was ahead\.", "clock_ahead"),
    Rule(r"^The database has forgotten copies that left", "database_forgot"),
    Rule(r"^The database was restored\. Look whether", "restored"),
    Rule(r"^The database was restored\. Copies that may", "restored_uncertain"),
    Rule(r"^The database was restored, and nobody knows", "restored_unknown"),
    # A sentence with the parameter `text` is shown as it was written.
    Rule(r"^(Paused: .* because of us: .*)$", "refused_about_us", ("text",)),
    Rule(r"^(Paused: .* copies were refused\. .*)$", "refused_readers", ("text",)),
    Rule(r"^(Paused after .*)$", "refused_in_a_row", ("text",)),
    Rule(r"^(The audience was .*)$", "audience_differs", ("text",)),
    Rule(r"^(\d+ (?:uncertain|rendering failed|expired).*)$", "exceptions", ("text",)),
    Rule(r"^(.*)$", "by_hand", ("text",), "state = 'paused'"),
    Rule(r"^(.*)$", "not_frozen", ("text",), "state = 'draft'"),
)


class Migration(migrations.Migration):
    dependencies = [("digests", "0016_monthly")]

    operations = [
        migrations.AddField("issue", "state_reason_parameters", models.JSONField(null=True, blank=True, editable=False)),
        migrations.SeparateDatabaseAndState(
            [to_codes(table="digests_issue", column="state_reason", length=300, rules=RULES)],
            [
                migrations.AlterField(
                    "issue",
                    "state_reason",
                    publication.fields.CharField(
                        blank=True, choices=digests.issue_reasons.choices, editable=False, max_length=32
                    ),
                )
            ],
        ),
    ]
