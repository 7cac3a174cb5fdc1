"""The verb of the front page: `arrange`.

`actor` is the account that acts; None is a command. On failure a PublishingError, and nothing has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from articles import front, permissions
from articles.front_models import FRONT_PAGE
from articles.models import Article, FrontPage, FrontSection, FrontStory, Section
from articles.refusals import NotAllowed, NotReady
from staff import audit, limits
from staff.audit_actions import AuditAction
from staff.models import LimitKind

MOST: Final = 1 + front.SECOND_MOST


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What an editor wants: stories, of which the first leads; sections with a row; a newsletter's slug or nothing.

    `version` is that of the arrangement from which it was made. Empty lists leave the choice to the clock.
    """

    stories: Sequence[int] = ()
    sections: Sequence[int] = ()
    newsletter: str = ""
    version: int = 0


def current() -> Arrangement:
    """The arrangement in force. A story that is not public now keeps its place and is not among them."""
    page = FrontPage.objects.filter(pk=FRONT_PAGE).first() or FrontPage()
    public = FrontStory.objects.filter(article__in=Article.objects.published())
    return Arrangement(
        stories=list(public.values_list("article", flat=True)),
        sections=list(FrontSection.objects.values_list("section", flat=True)),
        newsletter=page.newsletter,
        version=page.version,
    )


def may_arrange(user: User | None) -> bool:
    """Whether this account may: it publishes, and in every section. None is a command."""
    if user is None:
        return True
    return user.has_perm(permissions.PUBLISH) and limits.of(user, kind=LimitKind.SECTION) is None


def arrange(*, wanted: Arrangement, actor: User | None, now: datetime) -> None:
    """Put the stories and rows in this order onto the front page, in one transaction with its record."""
    if not may_arrange(actor):
        raise NotAllowed(_("Only those who publish in every section arrange the front page."))
    with transaction.atomic():
        page, _created = FrontPage.objects.select_for_update().get_or_create(pk=FRONT_PAGE)
        if page.version != wanted.version:
            raise NotReady(_("Somebody else arranged the front page meanwhile. Look at it and arrange it again."))
        stories, sections = _stories(wanted.stories), _sections(wanted.sections)
        FrontStory.objects.all().delete()
        FrontStory.objects.bulk_create(
            FrontStory(article=story, position=position) for position, story in enumerate(stories)
        )
        FrontSection.objects.all().delete()
        FrontSection.objects.bulk_create(
            FrontSection(section=section, position=position) for position, section in enumerate(sections)
        )
        page.newsletter, page.version = wanted.newsletter, page.version + 1
        page.save(update_fields=["newsletter", "version"])
        lead, *second = [story.headline for story in stories] or [""]
        audit.record(
            action=AuditAction.FRONT_PAGE_ARRANGED, actor=actor, target=page, now=now, lead=lead, second=second,
            rows=[section.name for section in sections], newsletter=wanted.newsletter,
        )  # fmt: skip


def _stories(numbers: Sequence[int]) -> list[Article]:
    if len(set(numbers)) != len(numbers):
        raise NotReady(_("A story has two places. Take it out of one of them."))
    if len(numbers) > MOST:
        raise NotReady(_("There is room for one story that leads and %(most)s below it.") % {"most": MOST - 1})
    public = Article.objects.published().only("headline").in_bulk(numbers)
    if missing := [number for number in numbers if number not in public]:
        raise NotReady(_("A story is not public any more. It was number %(number)s.") % {"number": missing[0]})
    return [public[number] for number in numbers]


def _sections(numbers: Sequence[int]) -> list[Section]:
    known = Section.objects.in_bulk(numbers)
    return [known[number] for number in dict.fromkeys(numbers) if number in known]
