"""Send less often: move the readers of one cadence of a newsletter to a lower one, after saying what will happen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from core import database_clock
from newsroom.desk import pages
from publication import formatting
from publication.row_actions import account
from staff.reauthentication import require_recent
from subscribers import permissions, reductions, states
from subscribers.models import Newsletter, Reduction
from subscribers.reductions import Move

RECENT: Final = 5


class MoveForm(forms.Form):
    """Which of the moves that are possible."""

    move = forms.ChoiceField(label=gettext_lazy("From which cadence to which"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, moves: Sequence[Move], **options: Any) -> None:
        super().__init__(*args, **options)
        self.moves = {f"{one.before}-{one.after}": one for one in moves}
        self.fields["move"].choices = [(name, _line(one)) for name, one in self.moves.items()]  # type: ignore[attr-defined]  # a ChoiceField

    @property
    def chosen(self) -> Move:
        """The move of a valid form."""
        return self.moves[self.cleaned_data["move"]]


@dataclass(frozen=True, slots=True)
class Done:
    """One move so far: the readers moved, who asked for the former cadence back, and what became of the letters."""

    reduction: Reduction
    moved: int
    back: int
    sent: int
    waiting: int
    failed: int


def _line(move: Move) -> str:
    words = ngettext(
        "%(before)s → %(after)s: %(readers)s reader", "%(before)s → %(after)s: %(readers)s readers", move.readers
    )
    return words % {
        "before": move.before.label, "after": move.after.label, "readers": formatting.number(move.readers),
    }  # fmt: skip


@pages.page(permissions.MOVE, "POST")
@require_recent
def less_often(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose a move (GET), see what it will do (GET with the move), and have it done (POST)."""
    newsletter = _subject(request, pk)
    data = request.POST if request.method == "POST" else request.GET if "move" in request.GET else None
    form = MoveForm(data, moves=reductions.moves(newsletter=newsletter))
    move = form.chosen if form.is_valid() else None
    if move and request.method == "POST":
        try:
            reductions.begin(
                newsletter=newsletter, before=move.before, after=move.after, actor=account(request),
                now=database_clock.now(),
            )  # fmt: skip
        except reductions.CannotReduce as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("desk:less_often", args=[pk]))
    return pages.show(
        request, "admin/desk/newsletters/less_often.html", title=_("Send less often"), newsletter=newsletter,
        form=form, move=move, done=(done := _done(newsletter)),
        is_working=any(one.reduction.finished_at is None for one in done),
    )  # fmt: skip


def _subject(request: HttpRequest, pk: int) -> Newsletter:
    """On failure: Http404; PermissionDenied for a newsletter that is not this person's."""
    newsletter = get_object_or_404(Newsletter, pk=pk)
    mine = permissions.of_newsletters(Newsletter.objects.filter(pk=pk), user=account(request), field="pk")
    if not mine.exists():
        raise PermissionDenied
    return newsletter


def _done(newsletter: Newsletter) -> list[Done]:
    """The last moves, the newest first."""
    counted = Reduction.objects.filter(newsletter=newsletter).annotate(
        was_moved=Count("moved"),
        back=Count("moved", filter=Q(moved__kept_at__isnull=False)),
        sent=Count("moved", filter=Q(moved__letter__state="sent")),
        waiting=Count("moved", filter=Q(moved__letter__state__in=states.WAITING)),
        failed=Count("moved", filter=Q(moved__letter__state__in=states.FAILED)),
    )
    return [Done(one, one.was_moved, one.back, one.sent, one.waiting, one.failed) for one in counted[:RECENT]]
