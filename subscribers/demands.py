"""A newsletter demands a version of a legal text: who agreed to none as new gets no mail until they agree.

Nobody is lost by it: they stay subscribed, are counted with the reason, and are mailed again when they agree or when
the demand is withdrawn (docs/decisions/0180).
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from publication import languages
from publication.models import Publication
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import legal, permissions, standing
from subscribers.models import Demand, LegalDocument, LegalVersion, Newsletter


class CannotDemand(Exception):
    """The version cannot be demanded; str() is one sentence that says what to do."""


def demand(
    *, newsletter: Newsletter, version: LegalVersion, actor: AbstractBaseUser | None, now: datetime
) -> standing.Loss:
    """Mail the newsletter only to readers who agreed to this version, a translation of it or a newer one.

    In place of what it demanded of the document before. After: the next copy obeys, also of an issue that is being
    sent; the audit log says how many were lost. On failure: CannotDemand.
    """
    permissions.require(permissions.PUBLISH_TEXT, user=actor, newsletter=newsletter.pk)
    with transaction.atomic():
        # Who publishes a text holds it too: what is shown cannot become older meanwhile.
        LegalDocument.objects.select_for_update().get(pk=version.document_id)
        check(version=version)
        loss = standing.loss(newsletter=newsletter, version=version)
        Demand.objects.update_or_create(
            newsletter=newsletter, document=version.document, defaults={"version": version, "demanded_at": now}
        )
        audit.record(
            action=AuditAction.TEXT_DEMANDED, actor=actor, target=newsletter, now=now,
            document=version.document.slug, version=version.number, readers=loss.readers, lost=loss.lost,
        )  # fmt: skip
    return loss


def withdraw(*, newsletter: Newsletter, document: LegalDocument, actor: AbstractBaseUser | None, now: datetime) -> bool:
    """Mail the newsletter whichever version of the document its readers agreed to; False when it was so already."""
    permissions.require(permissions.PUBLISH_TEXT, user=actor, newsletter=newsletter.pk)
    with transaction.atomic():
        gone = Demand.objects.filter(newsletter=newsletter, document=document).select_related("version").first()
        if gone is None:
            return False
        gone.delete()
        audit.record(
            action=AuditAction.DEMAND_WITHDRAWN, actor=actor, target=newsletter, now=now,
            document=document.slug, version=gone.version.number,
        )  # fmt: skip
    return True


def demandable(*, document: LegalDocument) -> list[LegalVersion]:
    """The public versions that can be named, newest first; translations count as what they translate."""
    public = document.versions.filter(published_at__isnull=False, translation_of__isnull=True)
    return list(public.select_related("document", "translation_of").order_by("-number"))


def check(*, version: LegalVersion) -> None:
    """Return when readers of each language can agree to this version or a newer one. On failure: CannotDemand."""
    if version.document.kind not in legal.AGREED or version.published_at is None or version.translation_of_id:
        raise CannotDemand(_("Choose a public version of a text to which readers agree."))
    older = [languages.name_of(language) for language in _languages() if _shown_in(language, version) < version.number]
    if older:
        sentence = _("Readers of these languages are shown an older text: %(languages)s. Translate this one first.")
        raise CannotDemand(sentence % {"languages": ", ".join(older)})


def _languages() -> list[str]:
    return list(Publication.objects.current().languages)


def _shown_in(language: str, version: LegalVersion) -> int:
    with languages.override(language):
        shown = legal.published_version(document=version.document)
    return shown.edition if shown else 0
