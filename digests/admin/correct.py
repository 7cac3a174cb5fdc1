"""Write a correction of an issue that was sent: a form, and then a draft like any letter."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from core import database_clock
from digests import corrections
from digests.models import Issue
from mailkit import html, message
from publication import fields, markdown_forms
from publication.row_actions import account

EXPLANATION = _(
    "You write a letter that goes to exactly those who got this issue, or may have got it, and may still be mailed. "
    "It becomes a draft: look at it, send yourself a proof, and approve it as any issue."
)


class Correct(forms.Form):
    """The letter, and for the team what was wrong."""

    subject = fields.LineInput(max_length=200, label=_("Subject"), widget=UnfoldAdminTextInputWidget)
    text = forms.CharField(
        label=_("Text"),
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8}),
        help_text=_("Markdown. Say what was wrong, and what is right."),
    )
    wrong = fields.LineInput(
        max_length=300,
        label=_("What was wrong, in a line"),
        help_text=_("For the team: it is on the audit log."),
        widget=UnfoldAdminTextInputWidget,
    )

    def clean_subject(self) -> str:
        """Check that it can be a header."""
        message.validate_header_text(self.cleaned_data["subject"])
        return str(self.cleaned_data["subject"])

    def clean_text(self) -> str:
        """Check that the text can be rendered."""
        return markdown_forms.check(form=self, field="text", render=lambda text: html.render(text, profile="letter"))


def page(*, admin: ModelAdmin[Issue], request: HttpRequest, issue: Issue) -> HttpResponse:
    """The form; on POST the draft, whose page comes next."""
    if not admin.has_add_permission(request):
        raise PermissionDenied
    begin = {"subject": corrections.subject(issue=issue), "text": corrections.text(issue=issue)}
    form = Correct(request.POST or None, initial=begin)
    if request.method == "POST" and form.is_valid():
        try:
            letter = corrections.draft(
                issue=issue, actor=account(request), now=database_clock.now(), **form.cleaned_data
            )
        except corrections.NotAllowed as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The correction is a draft. Nothing has left."))
            return HttpResponseRedirect(reverse("admin:digests_issue_change", args=[letter.pk]))
    context: dict[str, Any] = {
        **admin.admin_site.each_context(request),
        "title": _("Correct to those who got it"),
        "label": _("Make the draft"),
        "subtitle": issue,
        "explanation": EXPLANATION,
        "form": form,
        "opts": admin.opts,
        "back": reverse("admin:digests_issue_change", args=[issue.pk]),
    }
    return render(request, "admin/action.html", context)
