"""Replies of readers at the desk: a list by state, and one page each with all that can be done."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _

from articles.models import Article
from core import database_clock
from digests import replies
from digests.models import Reply
from newsroom.desk import pages, steps
from publication.change_lists import BoundedPaginator
from publication.row_actions import account

A_PAGE: Final = 50
# Stories that are offered besides those of the issue.
LATEST: Final = 30


@pages.page(replies.VIEW)
def all_replies(request: HttpRequest) -> HttpResponse:
    """Those in one state, the newest first."""
    asked = request.GET.get("state", "")
    state = asked if asked in Reply.State.values else Reply.State.NEW.value
    rows = replies.seen(user=account(request)).filter(state=state)
    return pages.show(
        request, "admin/desk/replies/list.html", title=_("Replies"), is_task=True, state=state,
        states=Reply.State.choices, page=BoundedPaginator(rows, A_PAGE).get_page(request.GET.get("page")),
    )  # fmt: skip


@pages.page(replies.VIEW, "POST")
def reply(request: HttpRequest, pk: int) -> HttpResponse:
    """One reply; a POST presses one of its buttons."""
    user = account(request)
    row = get_object_or_404(replies.seen(user=user).select_related("subscriber"), pk=pk)
    refusal = ""
    if request.method == "POST":
        try:
            messages.success(request, _act(request, row, user))
            return HttpResponseRedirect(reverse("desk:reply", args=[pk]))
        except replies.NotPossible as mistake:
            refusal = str(mistake)
    return pages.show(
        request, "admin/desk/replies/reply.html", title=_("Reply"), reply=row, refusal=refusal,
        may_change=user.has_perm(replies.RIGHT), mailto=_mailto(row), stories=_stories(row),
        name=request.POST.get("name", row.sender_name), text=request.POST.get("text", row.text),
    )  # fmt: skip


def _act(request: HttpRequest, row: Reply, user: User) -> str:
    """Do what the button says; a sentence about it. On failure: NotPossible."""
    act, typed = request.POST.get("act", ""), request.POST
    who: dict[str, Any] = {"reply": row, "actor": user, "now": database_clock.now()}
    if act == "publish":
        replies.publish(name=typed.get("name", ""), text=typed.get("text", ""), **who)
        return _("The letter is below the story.")
    if act == "withdraw":
        replies.withdraw(**who)
        return _("The letter is no longer public.")
    if act == "assign":
        chosen = steps.numbers([typed.get("story", "")])
        story = get_object_or_404(Article, pk=chosen[0]) if chosen else None
        replies.assign(story=story, **who)
        return _("Saved.")
    if act not in Reply.State.values:
        raise replies.NotPossible(_("Nothing was chosen."))
    replies.settle(state=act, **who)
    return _("Saved.")


def _mailto(row: Reply) -> str:
    """A link that opens the person's own mail program: the answer is a letter between two people."""
    if "@" not in row.sender:
        return ""
    subject = row.subject if row.subject.lower().startswith("re:") else f"Re: {row.subject}"
    return f"mailto:{quote(row.sender, safe='@')}?subject={quote(subject)}"


def _stories(row: Reply) -> list[Article]:
    """Those of the issue, then the latest public ones, and the one that is chosen."""
    of_issue = list(Article.objects.filter(issue_items__issue=row.issue_id).distinct())
    latest = list(Article.objects.published().order_by("-published_at")[:LATEST])
    chosen = [row.story] if row.story else []
    return list({story.pk: story for story in (*chosen, *of_issue, *latest)}.values())
