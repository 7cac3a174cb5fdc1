"""The order of sections, newsletters and legal texts: dragged, moved by buttons, or by keys on them.

As on the page of the front page, the whole order is in the form: a button moves something in it and shows the form
again, and only "Save" changes what readers see. Scripts do the same without asking the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from articles import permissions as permissions_of_stories
from core import database_clock
from newsroom.desk import pages, steps
from publication.row_actions import account
from staff import ordering
from staff.ordering import Order
from subscribers import permissions


@dataclass(frozen=True, slots=True)
class Kind:
    """What is ordered, where readers see it, and the page from which one comes."""

    order: Order
    title: str | Promise
    explanation: str | Promise
    back: str


KINDS: Final = {
    "sections": Kind(
        permissions_of_stories.SECTIONS,
        gettext_lazy("Order of the sections"),
        gettext_lazy("As in the navigation at the head of every page."),
        "admin:articles_section_changelist",
    ),
    "newsletters": Kind(
        permissions.NEWSLETTERS,
        gettext_lazy("Order of the newsletters"),
        gettext_lazy("As where readers choose what they subscribe to."),
        "desk:newsletters",
    ),
    "legal-texts": Kind(
        permissions.LEGAL_TEXTS,
        gettext_lazy("Order of the legal texts"),
        gettext_lazy("As at the foot of every page."),
        "admin:subscribers_legalversion_changelist",
    ),
}  # fmt: skip


@pages.page("", "POST")
def order(request: HttpRequest, rows: str) -> HttpResponse:
    """The rows in their order; on POST the order in the form, moved by one step or saved."""
    shown, user = KINDS.get(rows), account(request)
    if shown is None:
        raise Http404("Nothing of this name has an order.")
    if not ordering.may_arrange(shown.order, user=user):
        raise PermissionDenied
    if request.method != "POST":
        return _shown(request, shown)
    numbers = steps.numbers(request.POST.getlist("row"))
    if "save" not in request.POST:
        step = steps.read(request.POST.get("move", ""))
        return _shown(request, shown, steps.taken(step, numbers) if step else numbers, is_changed=True)
    ordering.arrange(shown.order, numbers=numbers, actor=user, now=database_clock.now())
    messages.success(request, _("Readers see them in this order now."))
    return HttpResponseRedirect(reverse(shown.back))


def _shown(request: HttpRequest, kind: Kind, wanted: Sequence[int] = (), *, is_changed: bool = False) -> HttpResponse:
    rows: dict[int, Model] = {row.pk: row for row in kind.order.model._default_manager.all()}  # noqa: SLF001  # Django documents it as public
    wanted = [number for number in wanted if number in rows]
    return pages.show(
        request, "admin/desk/order.html", title=kind.title, explanation=kind.explanation, back=reverse(kind.back),
        rows=[rows[number] for number in [*wanted, *(number for number in rows if number not in wanted)]],
        is_changed=is_changed,
    )  # fmt: skip
