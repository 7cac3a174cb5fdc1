"""On which version of each legal text the readers of a newsletter stand, and who would be lost by a demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from subscribers import legal
from subscribers.models import Demand, LegalDocument, LegalVersion, Newsletter, Subscription

Documents = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Loss:
    """Of the readers of a newsletter, how many would get no more mail until they agree."""

    readers: int
    lost: int


@dataclass(frozen=True, slots=True)
class Step:
    """How many readers stand on one version; None: on no text that is stored, as imported readers."""

    version: LegalVersion | None
    readers: int
    is_enough: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """One newsletter and one document: the versions on which readers stand, newest first, and what is demanded."""

    newsletter: Newsletter
    document: LegalDocument
    demand: Demand | None
    steps: tuple[Step, ...]

    @property
    def readers(self) -> int:
        return sum(step.readers for step in self.steps)

    @property
    def behind(self) -> int:
        """How many get no mail because of the demand."""
        return sum(step.readers for step in self.steps if not step.is_enough)

    def loss(self, version: LegalVersion) -> Loss:
        """What it would cost to demand this version."""
        lost = sum(step.readers for step in self.steps if _edition(step.version) < version.number)
        return Loss(self.readers, lost)


def of(*, newsletters: Iterable[Newsletter]) -> list[Standing]:
    """Of each newsletter, for each document that readers agree to. Readers who cannot be written to are left out."""
    versions = public_versions()
    documents = {version.document_id: version.document for version in versions}
    demands = {(row.newsletter_id, row.document_id): row for row in Demand.objects.select_related("version")}
    standings = []
    for newsletter in newsletters:
        counted = _counted(newsletter)
        for document in documents.values():
            demand = demands.get((newsletter.pk, document.pk))
            steps = _steps(counted, [row for row in versions if row.document_id == document.pk], demand)
            standings.append(Standing(newsletter, document, demand, steps))
    return standings


def loss(*, newsletter: Newsletter, version: LegalVersion) -> Loss:
    """What it would cost the newsletter to demand this version."""
    return next(one.loss(version) for one in of(newsletters=[newsletter]) if one.document.pk == version.document_id)


def unmet(*, newsletter: Newsletter, documents: Documents, moment: datetime) -> list[Demand]:
    """The demands of that moment that an act which named these texts does not meet; those withdrawn since are gone."""
    versions = public_versions()
    demands = Demand.objects.filter(newsletter=newsletter, demanded_at__lte=moment).select_related("version__document")
    return [
        demand
        for demand in demands
        if _edition(_newest(documents, [row for row in versions if row.document_id == demand.document_id]))
        < demand.version.number
    ]


def agreed(documents: Documents, *, document: LegalDocument, versions: Sequence[LegalVersion]) -> LegalVersion | None:
    """The newest of these versions of the document among the texts that an act named."""
    return _newest(documents, [row for row in versions if row.document_id == document.pk])


def public_versions() -> list[LegalVersion]:
    """The public versions of all documents that readers agree to, newest first."""
    public = LegalVersion.objects.filter(published_at__isnull=False, document__kind__in=legal.AGREED)
    rows = public.select_related("document", "translation_of").order_by(*legal.BY_DOCUMENT)
    return sorted(rows, key=lambda row: (-row.edition, -row.number))


def _counted(newsletter: Newsletter) -> list[tuple[Documents, int]]:
    """The readers who can be written to, by the texts that their act names; there are few such sets."""
    readers = Subscription.objects.filter(newsletter=newsletter).reachable().order_by()
    return list(readers.values_list("consent_event__documents").annotate(readers=Count("pk")))


def _steps(
    counted: Sequence[tuple[Documents, int]], versions: Sequence[LegalVersion], demand: Demand | None
) -> tuple[Step, ...]:
    readers = Counter[LegalVersion | None]()
    for documents, number in counted:
        readers[_newest(documents, versions)] += number
    least = demand.version.number if demand else 0
    rows = [Step(version, number, _edition(version) >= least) for version, number in readers.items()]
    return tuple(sorted(rows, key=lambda row: -_edition(row.version)))


def _newest(documents: Documents, versions: Sequence[LegalVersion]) -> LegalVersion | None:
    """The newest of these versions whose words are among the texts, as `demand_model.unmet` has it."""
    named = {shown.get("sha256") for shown in documents}
    return next((version for version in versions if version.sha256 in named), None)


def _edition(version: LegalVersion | None) -> int:
    return version.edition if version else 0
