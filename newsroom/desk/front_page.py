"""The front page at the desk: what leads, the second tier, the rows of sections and the newsletter among them.

The whole arrangement is in the form: a button moves something in it and shows the form again, and only "Save"
changes what readers see. Scripts do the same without asking the server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from articles import curating, permissions, teasers
from articles.curating import Arrangement
from articles.models import Article, Section
from articles.refusals import PublishingError
from core import database_clock
from newsroom.desk import pages, steps
from publication import context as publications
from publication.row_actions import account
from subscribers.models import Newsletter

# The newest stories that are offered beside the page.
OFFERED: Final = 40


@pages.page(permissions.PUBLISH, "POST")
def front_page(request: HttpRequest) -> HttpResponse:
    """The arrangement in force; on POST the one in the form, moved by one step or saved."""
    user = account(request)
    if not curating.may_arrange(user):
        raise PermissionDenied
    if request.method != "POST":
        return _shown(request, curating.current())
    before, move = posted(request.POST), request.POST.get("move", "")
    wanted = moved(before, move)
    if move.startswith("story add") and wanted.stories == before.stories:
        most = {"most": curating.MOST}
        messages.warning(request, _("There is room for %(most)s stories. Take one out first.") % most)
    if "save" not in request.POST:
        return _shown(request, wanted, is_changed=True)
    try:
        curating.arrange(wanted=wanted, actor=user, now=database_clock.now())
    except PublishingError as refusal:
        messages.error(request, str(refusal))
        return _shown(request, wanted, is_changed=True)
    messages.success(request, _("Readers see the front page as it is now."))
    return HttpResponseRedirect(reverse("desk:front_page"))


def posted(data: QueryDict) -> Arrangement:
    """The arrangement of a form; what is no number is not in it."""
    version = data.get("version", "")
    return Arrangement(
        stories=steps.numbers(data.getlist("story")),
        sections=steps.numbers(data.getlist("section")),
        newsletter=data.get("newsletter", "")[:80],
        version=int(version) if version.isdecimal() and len(version) < 9 else -1,
    )


def moved(wanted: Arrangement, move: str) -> Arrangement:
    """The arrangement after one step, such as `story up 7`; what is no step changes nothing."""
    if move.partition(" ")[0] == "automatic":
        return Arrangement(version=wanted.version)
    step = steps.read(move)
    if step is not None and step.kind == "story":
        return replace(wanted, stories=steps.taken(step, wanted.stories)[: curating.MOST])
    if step is not None and step.kind == "section":
        return replace(wanted, sections=steps.taken(step, wanted.sections))
    return wanted


def _shown(request: HttpRequest, wanted: Arrangement, *, is_changed: bool = False) -> HttpResponse:
    publication = publications.of(request)
    newest = Article.objects.published().for_cards().newest_first()
    offered = {each.pk: each for each in teasers.all_of(newest[:OFFERED], publication=publication)}
    missing = [number for number in wanted.stories if number not in offered]
    others = teasers.all_of(newest.filter(pk__in=missing), publication=publication) if missing else []
    known = offered | {each.pk: each for each in others}
    sections = Section.objects.in_bulk()
    chosen = [sections[number] for number in wanted.sections if number in sections]
    return pages.show(
        request, "admin/desk/front.html", title=_("Front page"), wanted=wanted, is_changed=is_changed,
        stories=[known[number] for number in wanted.stories if number in known],
        offered=[each for number, each in offered.items() if number not in wanted.stories],
        sections=chosen, other_sections=[each for each in sections.values() if each not in chosen],
        newsletters=Newsletter.objects.filter(is_open=True), most=curating.MOST,
    )  # fmt: skip
