"""Why a copy is in its state: a code and parameters instead of a sentence; of an accepted copy nothing."""

from django.db import migrations, models

import digests.delivery_reasons
import publication.fields
from core.stored_sentences import Rule, to_codes

RULES = (
    Rule(r"^the copy could not be built$", "not_built"),
    Rule(r"^erased$", "erased"),
    Rule(r"^unsubscribed$", "unsubscribed"),
    Rule(r"^changed cadence$", "cadence_changed"),
    Rule(r"^paused by the reader$", "reader_paused"),
    Rule(r"^address suppressed$", "suppressed"),
    Rule(r"^waits for its turn:", "domains_turn"),
    Rule(r"^the sender stopped before", "sender_stopped"),
    Rule(r"^too old to be sent$", "too_old"),
    Rule(r"^the issue's time was over$", "time_over"),
    Rule(r"^issue cancelled$", "issue_cancelled"),
    Rule(r"^called accepted by an editor$", "called_accepted"),
    Rule(r"^sent again by an editor$", "sent_again"),
    Rule(r"^may have left before the database was restored$", "may_have_left"),
    Rule(r"^reported as delivered$", "reported_delivered"),
    Rule(r"^bounced$", "reported_bounced"),
    Rule(r"^(The mail server cannot be reached .*)$", "not_reached", ("said",)),
    Rule(r"^(.*)$", "answer_lost", ("said",), "state = 'uncertain'"),
)


class Migration(migrations.Migration):
    dependencies = [("digests", "0017_reasons_of_issues_are_codes")]

    operations = [
        migrations.AddField("delivery", "reason_parameters", models.JSONField(null=True, blank=True, editable=False)),
        migrations.SeparateDatabaseAndState(
            [to_codes(table="digests_delivery", column="reason", length=200, rules=RULES)],
            [
                migrations.AlterField(
                    "delivery",
                    "reason",
                    publication.fields.CharField(blank=True, choices=digests.delivery_reasons.choices, max_length=32),
                )
            ],
        ),
    ]
