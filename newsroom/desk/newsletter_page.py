"""Newsletters at the desk: all of them, and one page each with its next issue, its audience and its sign-up form."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from core import database_clock
from newsroom.desk import growth, pages, signup_code, today
from publication import context
from publication.row_actions import account
from subscribers import cadence_options, permissions, welcome
from subscribers.letters import queue
from subscribers.models import Cadence, Newsletter

RIGHT = signup_code.RIGHT


@dataclass(frozen=True, slots=True)
class Audience:
    """How many confirmed readers have this cadence, by language; an empty language is the publication's."""

    cadence: str
    readers: int
    languages: tuple[tuple[str, int], ...]


@pages.page(RIGHT)
def newsletters(request: HttpRequest) -> HttpResponse:
    """Each newsletter, with its readers and what goes out next."""
    now = database_clock.now()
    counted = growth.current(now=now)
    user = account(request)
    coming = today.coming(user=user, now=now, counted=counted)
    rows = [
        (
            newsletter,
            counted.of(newsletter.pk),
            next((row for row in coming if row.newsletter_id == newsletter.pk), None),
        )
        for newsletter in _seen(request)
    ]
    return pages.show(
        request,
        "admin/desk/newsletters/list.html",
        title=_("Newsletters"),
        is_task=True,
        rows=rows,
        may_order=len(rows) > 1 and permissions.has_all(permissions.CHANGE_NEWSLETTER, user=user),
    )


@pages.page(RIGHT)
def newsletter(request: HttpRequest, pk: int) -> HttpResponse:
    """One newsletter."""
    row = get_object_or_404(_seen(request), pk=pk)
    now = database_clock.now()
    counted = growth.current(now=now)
    address = settings.SITE_URL + reverse("newsletter", args=[row.slug])
    return pages.show(
        request, "admin/desk/newsletters/newsletter.html", title=row.name, newsletter=row, address=address,
        coming=today.coming(user=account(request), now=now, counted=counted, newsletter=pk),
        audience=audience(row, counted), readers=counted.of(pk), counted_at=counted.counted_at,
        codes=signup_code.codes(row, publication=context.of(request)),
        held=queue.held(newsletter=row), series=welcome.progress(newsletter=row),
        default_offer=cadence_options.default_offer(row),
    )  # fmt: skip


def _seen(request: HttpRequest) -> QuerySet[Newsletter]:
    return permissions.of_newsletters(Newsletter.objects.all(), user=account(request), field="pk")


def audience(row: Newsletter, counted: growth.Growth) -> list[Audience]:
    """By cadence, in the order of cadences."""
    mine = {key[1:]: number for key, number in counted.audience.items() if key[0] == row.pk}
    return [
        Audience(
            str(cadence.label),
            sum(number for (name, _language), number in mine.items() if name == cadence),
            tuple(sorted((language, number) for (name, language), number in mine.items() if name == cadence)),
        )
        for cadence in Cadence
        if any(name == cadence for name, _language in mine)
    ]
