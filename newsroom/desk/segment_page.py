"""Segments at the desk: all of them with their numbers, one to be changed, its readers, and a letter to them."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core import database_clock
from digests import segment_letters
from mailkit import html, message
from newsroom.desk import pages, segment_lines
from publication import fields, markdown_forms
from publication.change_lists import BoundedPaginator
from publication.row_actions import account
from subscribers import permissions, segment_fields, segments
from subscribers.models import Newsletter, Segment

A_PAGE: Final = 100


class SegmentLetter(forms.Form):
    """A letter: subject and text. Translations, a proof and the approval come with the draft."""

    subject = fields.LineInput(max_length=200, label=_("Subject"))
    text = forms.CharField(label=_("Text"), widget=forms.Textarea(attrs={"rows": 12}), help_text=_("Markdown."))

    def clean_subject(self) -> str:
        """Check that it can be a header."""
        message.validate_header_text(self.cleaned_data["subject"])
        return str(self.cleaned_data["subject"])

    def clean_text(self) -> str:
        """Check that the text can be rendered."""
        return markdown_forms.check(form=self, field="text", render=lambda text: html.render(text, profile="letter"))


@pages.page(segments.VIEW)
def all_segments(request: HttpRequest) -> HttpResponse:
    """Each segment with its conditions and how many readers it has now."""
    rows = []
    for row in segments.seen(user=account(request)):
        lines = segments.conditions(row.conditions)
        number = segments.count(newsletter=row.newsletter, lines=lines)
        rows.append((row, [line.in_words(row.newsletter) for line in lines], number))
    return pages.show(
        request, "admin/desk/segments/list.html", title=_("Segments"), is_task=True, rows=rows,
        newsletters=_newsletters(request), may_change=account(request).has_perm(segments.RIGHT),
    )  # fmt: skip


@pages.page(segments.RIGHT, "POST")
def new(request: HttpRequest, newsletter: int) -> HttpResponse:
    """A segment of this newsletter that is to be made."""
    return _form(request, get_object_or_404(_newsletters(request), pk=newsletter), None)


@pages.page(segments.VIEW, "POST")
def segment(request: HttpRequest, pk: int) -> HttpResponse:
    """One segment: its conditions, how many readers meet them, and what can be done with it."""
    row = get_object_or_404(segments.seen(user=account(request)), pk=pk)
    return _form(request, row.newsletter, row)


def _form(request: HttpRequest, newsletter: Newsletter, row: Segment | None) -> HttpResponse:
    user, now = account(request), database_clock.now()
    lines = segments.conditions(row.conditions) if row else []
    name, refusal = row.name if row else "", ""
    if request.method == "POST":
        lines, name = segment_lines.typed(request.POST), request.POST.get("name", "")
    try:
        if request.POST.get("act") == "save":
            saved = segments.save(segment=row, newsletter=newsletter, name=name, lines=lines, actor=user, now=now)
            messages.success(request, _("The segment is saved."))
            return HttpResponseRedirect(reverse("desk:segment", args=[saved.pk]))
        segments.check(newsletter=newsletter, lines=lines, user=user if request.method == "POST" else None)
        number = segments.count(newsletter=newsletter, lines=lines)
    except segments.Unusable as mistake:
        refusal, number = str(mistake), None
    return pages.show(
        request, "admin/desk/segments/segment.html",
        title=row.name if row else _("New segment"), segment=row, newsletter=newsletter, name=name, number=number,
        lines=segment_lines.shown(newsletter=newsletter, conditions=lines, user=user),
        fields=segment_fields.named(newsletter=newsletter), refusal=refusal,
        is_asked=request.POST.get("act") in ("save", "count"),
        may_change=user.has_perm(segments.RIGHT), may_write=row is not None and user.has_perm(segment_letters.RIGHT),
        letters=row.letters.order_by("-pk")[:A_PAGE] if row and user.has_perm("digests.view_issue") else [],
    )  # fmt: skip


@pages.page("subscribers.view_subscriber")
def readers(request: HttpRequest, pk: int) -> HttpResponse:
    """The readers who are in it now, the newest first."""
    row = get_object_or_404(segments.seen(user=account(request)), pk=pk)
    rows = segments.readers(segment=row).confirmed().select_related("subscriber").order_by("-pk")
    return pages.show(
        request, "admin/desk/segments/readers.html", title=_("Readers of “%(name)s”") % {"name": row.name},
        segment=row, page=BoundedPaginator(rows, A_PAGE).get_page(request.GET.get("page")),
    )  # fmt: skip


@pages.page(segment_letters.RIGHT, "POST")
def letter(request: HttpRequest, pk: int) -> HttpResponse:
    """The form of a letter to it; on POST the draft, whose page comes next."""
    row = get_object_or_404(segments.seen(user=account(request)), pk=pk)
    now = database_clock.now()
    form = SegmentLetter(request.POST or None)
    if form.is_valid():
        draft = segment_letters.draft(segment=row, actor=account(request), now=now, **form.cleaned_data)
        messages.success(request, _("The letter is a draft. Nothing has left."))
        return HttpResponseRedirect(reverse("admin:digests_issue_change", args=[draft.pk]))
    lines = segments.conditions(row.conditions)
    return pages.show(
        request, "admin/desk/segments/letter.html", title=_("Letter to “%(name)s”") % {"name": row.name},
        segment=row, form=form, conditions=[line.in_words(row.newsletter) for line in lines],
        number=segments.count(newsletter=row.newsletter, lines=lines),
    )  # fmt: skip


@pages.page(segments.RIGHT, "POST")
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, and delete."""
    row = get_object_or_404(segments.seen(user=account(request)), pk=pk)
    context: dict[str, Any] = {"title": _("Delete the segment"), "segment": row}
    if request.method == "POST":
        try:
            segments.delete(segment=row, actor=account(request), now=database_clock.now())
        except segments.Unusable as refusal:
            context["refusal"] = str(refusal)
        else:
            messages.success(request, _("The segment is deleted."))
            return HttpResponseRedirect(reverse("desk:segments"))
    return pages.show(request, "admin/desk/segments/delete.html", **context)


def _newsletters(request: HttpRequest) -> QuerySet[Newsletter]:
    return permissions.of_newsletters(Newsletter.objects.order_by("name"), user=account(request), field="pk")
