"""Which version of the legal texts readers agreed to, by newsletter, and what a newsletter demands of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core import database_clock
from newsroom.desk import pages
from publication import formatting, moments
from publication.row_actions import account
from staff.reauthentication import require_recent
from subscribers import demands, legal, permissions, renewal, standing
from subscribers.letters import queue
from subscribers.models import Demand, LegalDocument, LegalVersion, Newsletter

NOTHING: Final = "none"


class DemandForm(forms.Form):
    """The version, or none; beside each the readers whom it would cost."""

    version = forms.ChoiceField(label=gettext_lazy("Readers have to have agreed to"), widget=forms.RadioSelect)

    def __init__(
        self, *args: Any, counted: standing.Standing, versions: Sequence[LegalVersion], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        lines = [(str(version.number), _line(version, counted.loss(version))) for version in versions]
        self.fields["version"].choices = [*lines, (NOTHING, _("Any version, or none"))]  # type: ignore[attr-defined]  # a ChoiceField
        self.initial["version"] = str(counted.demand.version.number) if counted.demand else NOTHING


def _line(version: LegalVersion, loss: standing.Loss) -> str:
    would = ngettext(
        "%(version)s or a newer one: %(lost)s of %(readers)s reader would get no more mail until they agree",
        "%(version)s or a newer one: %(lost)s of %(readers)s readers would get no more mail until they agree",
        loss.readers,
    )
    numbers = {"lost": formatting.number(loss.lost), "readers": formatting.number(loss.readers)}
    return would % {"version": version, **numbers}


@pages.page("subscribers.view_legalversion")
def agreements(request: HttpRequest) -> HttpResponse:
    """Each text that readers agree to, with the newsletters of this person."""
    user = account(request)
    mine = permissions.of_newsletters(Newsletter.objects.all(), user=user, field="pk")
    rows = sorted(standing.of(newsletters=mine), key=lambda one: (one.document.position, one.document.pk))
    return pages.show(
        request, "admin/desk/legal/agreements.html", title=_("Which texts readers agreed to"),
        documents=[(document, list(each)) for document, each in groupby(rows, key=attrgetter("document"))],
        may_demand=user.has_perm(permissions.PUBLISH_TEXT),
    )  # fmt: skip


@pages.page(permissions.PUBLISH_TEXT, "POST")
@require_recent
def demand(request: HttpRequest, pk: int, document: str) -> HttpResponse:
    """Say what each version would cost (GET), and demand one or none (POST)."""
    newsletter, text = _subject(request, pk, document)
    counted = next(one for one in standing.of(newsletters=[newsletter]) if one.document == text)
    versions = demands.demandable(document=text)
    data = request.POST if request.method == "POST" else None
    form = DemandForm(data, counted=counted, versions=versions)
    if form.is_valid():
        try:
            messages.success(request, _act(request, newsletter, text, form.cleaned_data["version"]))
        except demands.CannotDemand as refusal:
            form.add_error("version", str(refusal))
        else:
            return HttpResponseRedirect(reverse("desk:agreements"))
    return pages.show(
        request, "admin/desk/legal/demand.html", title=_("Demand a version"), form=form, newsletter=newsletter,
        document=text,
    )  # fmt: skip


@pages.page(permissions.PUBLISH_TEXT, "POST")
@require_recent
def ask(request: HttpRequest, pk: int, document: str) -> HttpResponse:
    """Say how many readers would get a letter, and what became of those that were written (GET); write them (POST)."""
    newsletter, text = _subject(request, pk, document)
    version = _wanted(newsletter, text)
    if request.method == "POST":
        try:
            queued = renewal.ask(
                newsletter=newsletter, version=version, actor=account(request), now=database_clock.now()
            )
        except demands.CannotDemand as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _queued(queued))
        return HttpResponseRedirect(request.path)
    return pages.show(
        request, "admin/desk/legal/ask.html", title=_("Ask readers to agree"), newsletter=newsletter, version=version,
        asked=renewal.asked(newsletter=newsletter, version=version), per_hour=renewal.PER_HOUR,
    )  # fmt: skip


def _wanted(newsletter: Newsletter, text: LegalDocument) -> LegalVersion:
    """What the newsletter demands, else the newest version. On failure: Http404."""
    demanded = Demand.objects.filter(newsletter=newsletter, document=text).select_related("version__document").first()
    newest = next(iter(demands.demandable(document=text)), None)
    if demanded is None and newest is None:
        raise Http404("No version can be asked for.")
    return demanded.version if demanded else newest  # type: ignore[return-value]  # one of them is there


def _queued(queued: queue.Schedule) -> str:
    words = ngettext(
        "%(count)s letter leaves now.", "%(count)s letters leave one after the other, the last at %(last)s.",
        queued.count,
    )  # fmt: skip
    return words % {"count": formatting.number(queued.count), "last": moments.words(queued.last_at)}


def _subject(request: HttpRequest, pk: int, document: str) -> tuple[Newsletter, LegalDocument]:
    """On failure: Http404; PermissionDenied for a newsletter that is not this person's."""
    newsletter = get_object_or_404(Newsletter, pk=pk)
    mine = permissions.of_newsletters(Newsletter.objects.filter(pk=pk), user=account(request), field="pk")
    if not mine.exists():
        raise PermissionDenied
    public = LegalDocument.objects.filter(kind__in=legal.AGREED, versions__published_at__isnull=False).distinct()
    return newsletter, get_object_or_404(public, slug=document)


def _act(request: HttpRequest, newsletter: Newsletter, text: LegalDocument, chosen: str) -> str:
    """Do what was chosen and say it. On failure: CannotDemand."""
    actor, now = account(request), database_clock.now()
    if chosen == NOTHING:
        demands.withdraw(newsletter=newsletter, document=text, actor=actor, now=now)
        return _("%(newsletter)s is mailed whichever version its readers agreed to.") % {"newsletter": newsletter}
    version = LegalVersion.objects.select_related("document").get(document=text, number=int(chosen))
    loss = demands.demand(newsletter=newsletter, version=version, actor=actor, now=now)
    words = ngettext(
        "%(newsletter)s demands it now. %(lost)s reader gets no mail until they agree.",
        "%(newsletter)s demands it now. %(lost)s readers get no mail until they agree.",
        loss.lost,
    )
    return words % {"newsletter": newsletter, "lost": formatting.number(loss.lost)}
