"""A digest says which run of the clock it is, and an offer which run was its last.

What the clock made by an earlier version has the day or the week as its key; a digest by hand has an instant,
and one that `repair_clock` took out of the way begins with "moved".
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Max, Q
from django.utils import timezone


def note_last_runs(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Issue = apps.get_model("digests", "Issue")
    digests = Issue.objects.filter(kind="digest", window_end__lte=timezone.now())
    digests = digests.filter(period_key__regex=r"^\d{4}-(W\d\d|\d\d-\d\d)$")
    left = ~Q(state="cancelled", planned_at__isnull=True)
    for offer in apps.get_model("subscribers", "CadenceOffer").objects.exclude(cadence="instant"):
        line = digests.filter(newsletter=offer.newsletter_id, cadence=offer.cadence)
        last = line.aggregate(over=Max("window_end"), made=Max("window_end", filter=left))
        offer.runs_after, offer.last_run_at = last["over"], last["made"]
        offer.save(update_fields=["runs_after", "last_run_at"])


class Migration(migrations.Migration):
    dependencies = [
        ("digests", "0014_copies_that_were_disturbed"),
        ("subscribers", "0011_schedules_act_forward"),
    ]

    operations = [
        migrations.AddField(
            model_name="issue",
            name="runs_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(note_last_runs, migrations.RunPython.noop),
    ]
