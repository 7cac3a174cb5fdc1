"""Why a letter did not leave: a code and parameters instead of a sentence."""

from django.db import migrations, models

import publication.fields
import subscribers.letter_reasons
from core.stored_sentences import Rule, to_codes

RULES = (
    Rule(r"^could not be delivered within 72 hours$", "too_old"),
    Rule(r"^the address is suppressed$", "suppressed"),
    Rule(r"^overtaken by a later act of the reader$", "overtaken"),
    Rule(r"^may have left before the database was restored$", "may_have_left"),
    Rule(r"^the mail provider refused the address$", "provider_refused"),
    Rule(r"^the mail server refuses us \((\d+)\)$", "about_us", ("said",)),
    Rule(r"^the mail server (?:refused the address \(|answered )(\d+)\)?$", "refused", ("said",)),
    Rule(r"^it could not be sent \((\w+)\)$", "not_sent", ("error",)),
)


class Migration(migrations.Migration):
    dependencies = [("subscribers", "0012_monthly")]

    operations = [
        migrations.AddField("letter", "reason_parameters", models.JSONField(null=True, blank=True, editable=False)),
        migrations.SeparateDatabaseAndState(
            [to_codes(table="subscribers_letter", column="reason", length=200, rules=RULES)],
            [
                migrations.AlterField(
                    "letter",
                    "reason",
                    publication.fields.CharField(
                        blank=True, choices=subscribers.letter_reasons.choices, max_length=32
                    ),
                )
            ],
        ),
    ]
