"""Confirmed readers whose consent is not on record: what `manage.py verify_consent` says of them, and the remedy.

They are not mailed (`Subscription.mailable`).
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Count, Q

from subscribers.models import Newsletter, Subscription

RENAMED = (
    "Not mailed: {readers} of “{newsletter}”, because their consent names a newsletter “{slug}”, and there is none. "
    "If this one was called so, say so once, and they are mailed again: manage.py former_slug {now} {slug}"
)
UNPROVED = (
    "Not mailed: {readers} of “{newsletter}”, because the consent event of each is not their own yes to it (it is "
    "another person's, names another newsletter, or is a request, a withdrawal or an import without a basis). "
    "Somebody wrote into the database, or two backups were mixed. They are mailed again when they subscribe again."
)


class NotFormer(Exception):
    """The newsletter did not have this slug; str() says why."""


def report() -> list[str]:
    """A sentence for each newsletter with confirmed readers whom the record does not cover, and what to do."""
    rows = Subscription.objects.all().unproved().order_by("newsletter_id").values_list("newsletter_id")
    return [
        sentence
        for pk, readers in rows.annotate(readers=Count("pk"))
        for sentence in _uncovered(Newsletter.objects.get(pk=pk), readers)
    ]


def _uncovered(newsletter: Newsletter, readers: int) -> Iterator[str]:
    """First those who consented under a slug that no newsletter has or had, then all others."""
    slugs = newsletter.subscriptions.all().unproved().agreed().order_by("consent_event__newsletter_slug")
    for slug, count in slugs.values_list("consent_event__newsletter_slug").annotate(readers=Count("pk")):
        if slug and _named(slug) is None:
            readers -= count
            yield RENAMED.format(readers=_readers(count), newsletter=newsletter, slug=slug, now=newsletter.slug)
    if readers:
        yield UNPROVED.format(readers=_readers(readers), newsletter=newsletter)


@transaction.atomic
def was_called(*, newsletter: Newsletter, slug: str) -> int:
    """Let consent that names `slug` count for the newsletter, which was called so; returns for how many readers.

    On failure: NotFormer, if another newsletter has or had that slug, or nobody consented by it.
    """
    newsletter = Newsletter.objects.select_for_update(no_key=True).get(pk=newsletter.pk)
    other = _named(slug)
    if other is not None:
        raise NotFormer(f"“{other}” has, or had, the slug {slug}, so consent that names it is consent to that one.")
    readers = newsletter.subscriptions.all().unproved().agreed().filter(consent_event__newsletter_slug=slug).count()
    if not readers:
        raise NotFormer(f"No confirmed reader of “{newsletter}” has consented to a newsletter with the slug {slug}.")
    newsletter.former_slugs.append(slug)
    newsletter.save(update_fields=["former_slugs"])
    return readers


def _named(slug: str) -> Newsletter | None:
    return Newsletter.objects.filter(Q(slug=slug) | Q(former_slugs__contains=[slug])).first()


def _readers(count: int) -> str:
    return "1 confirmed reader" if count == 1 else f"{count:,} confirmed readers"
