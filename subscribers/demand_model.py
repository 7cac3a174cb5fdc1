"""Which version of a legal text a newsletter demands of its readers, and the rule that follows from it."""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from django.db.models import Exists, ExpressionWrapper, F, Func, JSONField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from subscribers.legal_models import LegalDocument, LegalVersion
from subscribers.newsletters import Newsletter

# What `ConsentEvent.documents` contains when the act named a text of this hash.
NAMED: Final = "jsonb_build_array(jsonb_build_object('sha256', %(expressions)s))"
# `LegalVersion.edition` in a query.
STANDS_FOR: Final = Coalesce("translation_of__number", "number")


class Demand(models.Model):
    """Readers of the newsletter who agreed to no version as new as this one are not mailed. Made by `demands`."""

    newsletter = models.ForeignKey(Newsletter, on_delete=models.CASCADE, related_name="demands")
    document = models.ForeignKey(LegalDocument, on_delete=models.PROTECT, related_name="+")
    # A public text of the document, and no translation: translations count as what they translate.
    version = models.ForeignKey(LegalVersion, on_delete=models.PROTECT, related_name="+")
    demanded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["newsletter", "document"]
        constraints = [
            models.UniqueConstraint(fields=["newsletter", "document"], name="demand_once_per_document"),
        ]

    def __str__(self) -> str:
        return f"{self.newsletter}: {self.version}"


def unmet() -> Exists:
    """For subscriptions: the newsletter demands a text, and the act that allows mail names none that is as new.

    The words count, by their hash, and not the name of the document, which may have been changed since.
    """
    theirs = OuterRef(OuterRef("consent_event__documents"))
    # A subquery and no join: where nothing is demanded, the look at each reader ends at an empty table.
    number = LegalVersion.objects.filter(pk=OuterRef(OuterRef("version"))).order_by().values("number")
    enough = _agreed(theirs, document=OuterRef("document"), number=Subquery(number))
    return Exists(Demand.objects.order_by().filter(~Exists(enough), newsletter=OuterRef("newsletter")))


def reached(version: LegalVersion) -> Exists:
    """For subscriptions: the act that allows mail names a text as new as this one, demanded or not."""
    theirs = OuterRef("consent_event__documents")
    return Exists(_agreed(theirs, document=version.document_id, number=version.number))


def _agreed(documents: OuterRef, *, document: Any, number: Any) -> models.QuerySet[LegalVersion]:
    """The versions of the document, from this number on, whose words are among the texts that an act named."""
    theirs = ExpressionWrapper(documents, output_field=JSONField())
    words = Func(F("sha256"), template=NAMED, output_field=JSONField())
    versions = LegalVersion.objects.order_by().alias(stands_for=STANDS_FOR, theirs=theirs)
    return versions.filter(document=document, stands_for__gte=number, theirs__contains=words)
