"""What of the public pages has changed, and when: numbers that the database raises in the transaction of a change.

The triggers of each app's tables call the function `publication_raise` with the tags of the pages that show
the row. When the transaction commits, the epoch and each of these tags get one new number, the same for all.
A transaction keeps the row of the epoch to its end, so that numbers become visible in their order: who has
read an epoch has seen every change up to it. See decision 0140.
"""

from typing import Final, NamedTuple

from django.db import models
from django.db.models import Q

from publication import fields

# The tag whose number is the epoch. No page has it.
EPOCH: Final = ""


class PageVersion(models.Model):
    """The number that a tag got with its last change, in microseconds, so that none comes back after a restore."""

    tag = fields.CharField(max_length=80, primary_key=True)
    number = models.BigIntegerField()

    class Meta:
        # `since`: what has changed after an epoch.
        indexes = [models.Index(fields=["number"], name="page_version_number")]

    def __str__(self) -> str:
        return f"{self.tag or 'epoch'} {self.number}"


class PageChange(models.Model):
    """A tag that a transaction under way has raised; the database deletes it on commit. Nobody else sees one."""

    pk = models.CompositePrimaryKey("transaction", "tag")
    transaction = models.BigIntegerField()
    tag = fields.CharField(max_length=80)

    def __str__(self) -> str:
        return self.tag


class SharedCache(models.Model):
    """A shared cache in front of the site: the epoch up to which it has dropped what changed, and what went wrong."""

    name = fields.CharField(max_length=120, primary_key=True)
    purged_until = models.BigIntegerField(default=0)
    purged_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    reason = fields.CharField(max_length=80, blank=True)

    def __str__(self) -> str:
        return self.name


class Changes(NamedTuple):
    """The epoch, and the tags that have changed since another, with their numbers."""

    epoch: int
    numbers: dict[str, int]


def epoch() -> int:
    """The number of the last change; 0 before the first."""
    return PageVersion.objects.filter(pk=EPOCH).values_list("number", flat=True).first() or 0


def since(number: int, *, most: int) -> Changes:
    """What has changed after that epoch; at most `most` tags, and one more if there are more."""
    changed = PageVersion.objects.filter(Q(number__gt=number) | Q(pk=EPOCH)).order_by("tag")
    numbers = dict(changed.values_list("tag", "number")[: most + 2])
    return Changes(epoch=numbers.pop(EPOCH, 0), numbers=numbers)
