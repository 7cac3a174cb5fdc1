"""The page that limits a person to sections and newsletters. It asks for the password again."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from core import database_clock
from publication.row_actions import account
from staff import limits, names, reauthentication
from staff.limit_forms import LimitsForm


def page(*, request: HttpRequest, person: User, context: dict[str, Any]) -> HttpResponse:
    """The form; on POST the change, and back to the person. `context` is the admin's."""
    back = reverse("admin:staff_person_change", args=[person.pk])
    form = LimitsForm(request.POST if request.method == "POST" else None, user=person)
    reauthentication.ask(form, request=request)
    if form.is_bound and form.is_valid():
        try:
            form.save(actor=account(request), now=database_clock.now())
        except limits.NotAllowed as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The rights of %(name)s are changed.") % {"name": names.of(person)})
            return HttpResponseRedirect(back)
    shown = {
        "title": _("Sections and newsletters"),
        "subtitle": names.of(person),
        "explanation": _("Limit this person to some sections or newsletters. The role says what may be done in them."),
        "label": _("Save"),
        "form": form,
        "back": back,
    }
    return render(request, "admin/action.html", {**context, **shown})
