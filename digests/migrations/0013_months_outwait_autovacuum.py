"""A month's partition waits longer for a lock than autovacuum takes to give way.

Autovacuum leaves a table when somebody has waited `deadlock_timeout` for it, which is a second. A wait that ends after
the same second loses that race: the month is made by a later tick, or by none while autovacuum is busy.
"""

from django.db import migrations

WAIT = "ALTER FUNCTION {function}(date) SET lock_timeout = '{wait}'"
FUNCTIONS = ("digests_add_month", "digests_drop_month")


class Migration(migrations.Migration):
    dependencies = [("digests", "0012_catch_ups")]

    operations = [
        migrations.RunSQL(
            [WAIT.format(function=name, wait="2s") for name in FUNCTIONS],
            [WAIT.format(function=name, wait="1s") for name in FUNCTIONS],
        ),
    ]
