"""Terms of use and privacy policy: texts in versions, of which a published one never changes.

Each version is in one language. Readers are shown, and agree to, the newest one in the language of the page; where
there is none, in the publication's first language (docs/decisions/0161).
"""

import hashlib
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, Max, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from mailkit import html
from publication import languages
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions
from subscribers.models import Demand, LegalDocument, LegalVersion

# What a reader agrees to at sign-up; other documents are only shown.
AGREED = (LegalDocument.Kind.TERMS, LegalDocument.Kind.PRIVACY)
BY_DOCUMENT = ("document__position", "document__title", "document_id")


class TooOld(Exception):
    """The text translates an older version than a newsletter demands; str() says so."""


class AlreadyPublished(Exception):
    """The version is public; its words cannot be changed or published again."""


def draft(
    *,
    document: LegalDocument,
    body_markdown: str,
    change_note: str = "",
    language: str = "",
    translation_of: LegalVersion | None = None,
    now: datetime,
) -> LegalVersion:
    """Make the next version of a document, not yet public. Without a language it is in the publication's first one.

    Who agrees to a translation counts as having agreed to the version that it translates, which is none itself.
    """
    with transaction.atomic():
        LegalDocument.objects.select_for_update().get(pk=document.pk)
        return LegalVersion.objects.create(
            document=document,
            number=next_number(document),
            language=language or languages.first(),
            body_markdown=body_markdown,
            change_note=change_note,
            translation_of=translation_of,
            created_at=now,
        )


def next_number(document: LegalDocument) -> int:
    """The number that the next version of this document gets, counting from 1."""
    last: int | None = document.versions.aggregate(last=Max("number"))["last"]
    return (last or 0) + 1


def publish_version(*, version: LegalVersion, actor: AbstractBaseUser | None, now: datetime) -> LegalVersion:
    """Render the text once, seal it with its SHA-256 and make it the current version.

    After: forms show it, and forms that were shown before come back with it.
    The database refuses every later change of the row.
    On failure: AlreadyPublished; TooOld, since readers who agree to it would get no mail; MarkupRefused for Markdown
    that cannot be shown.
    """
    permissions.require(permissions.PUBLISH_TEXT, user=actor)
    rendered = html.render(version.body_markdown, profile="legal")
    with transaction.atomic():
        LegalDocument.objects.select_for_update().get(pk=version.document_id)
        _check_demands(version)
        changed = LegalVersion.objects.filter(pk=version.pk, published_at__isnull=True).update(
            body_markdown=version.body_markdown, body_html=rendered.html, sha256=rendered.sha256, published_at=now
        )
        if not changed:
            raise AlreadyPublished(_("This version is public already. Make a new version to change the text."))
        version.refresh_from_db()
        audit.record(
            action=AuditAction.LEGAL_TEXT_PUBLISHED, actor=actor, target=version, now=now, sha256=version.sha256
        )
    return version


def _check_demands(version: LegalVersion) -> None:
    demands = Demand.objects.filter(document=version.document, version__number__gt=version.edition)
    if (demand := demands.select_related("newsletter", "version").first()) is not None:
        sentence = _(
            "%(newsletter)s demands version %(demanded)s, and this text translates version %(number)s. Anyone who "
            "agreed to it would get no mail."
        )
        facts = {"demanded": demand.version.number, "number": version.edition}
        raise TooOld(sentence % {"newsletter": demand.newsletter, **facts})


def text_hash(*, version: LegalVersion) -> str:
    """The SHA-256 of the text as it is stored now, which a published version's `sha256` was when it was published."""
    return hashlib.sha256(version.body_html.encode()).hexdigest()


def current_versions() -> list[LegalVersion]:
    """The texts a reader of this page agrees to today: the terms and the privacy policy, each in its newest version."""
    return list(
        _nearest(LegalVersion.objects.filter(document__kind__in=AGREED), *BY_DOCUMENT)
        .distinct(*BY_DOCUMENT)
        .select_related("document")
    )


def published_version(*, document: LegalDocument, number: int | None = None) -> LegalVersion | None:
    """The public version of this number; without a number, the one that a reader of this page is shown."""
    public = _nearest(document.versions.select_related("document"))
    return (public if number is None else public.filter(number=number)).first()


def published_versions(*, document: LegalDocument, language: str) -> list[LegalVersion]:
    """All public versions of one document in a language, newest first."""
    public = document.versions.filter(published_at__isnull=False, language=language)
    return list(public.select_related("document").order_by("-number"))


def _nearest(versions: QuerySet[LegalVersion], *before: str) -> QuerySet[LegalVersion]:
    """Public ones in the order of `before`, then the page's language first, then the publication's first language."""
    distance = Case(
        When(language=languages.of_pages(), then=Value(0)),
        When(language=languages.first(), then=Value(1)),
        default=Value(2),
    )
    public = versions.filter(published_at__isnull=False).annotate(distance=distance)
    return public.order_by(*before, "distance", "-number")
