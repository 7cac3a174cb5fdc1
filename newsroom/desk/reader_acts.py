"""What may be done to one reader: each act asks first, says what it changes, and is one call to a verb."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core import database_clock
from newsroom.desk import pages
from publication.row_actions import account
from staff.reauthentication import require_recent
from subscribers import consent, erasure, permissions, signup, states, suppression
from subscribers.forms import AddressField
from subscribers.models import Subscriber, Subscription, Suppression

BY_HAND: Final = "admin"


class ReaderForm(forms.Form):
    """A form about one reader."""

    def __init__(self, *args: Any, reader: Subscriber, **options: Any) -> None:
        super().__init__(*args, **options)
        self.reader = reader


class Unsubscribe(ReaderForm):
    """From which newsletter, and why."""

    subscription = forms.ModelChoiceField(
        Subscription.objects.none(), label=_("Newsletter"), empty_label=_("All of them"), required=False
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=200,
        help_text=_("Such as “asked us by telephone”. It is kept with the proof. Write no address here."),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["subscription"].queryset = endable(self.reader)  # type: ignore[attr-defined]  # a ModelChoiceField


class Note(ReaderForm):
    """Why, for the team."""

    note = forms.CharField(label=_("Why"), max_length=200, help_text=_("For the team. Write no address here."))


class Erase(ReaderForm):
    """The address again, so that nobody is erased by a slip."""

    address = AddressField(
        label=_("Type the reader's address to confirm"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean_address(self) -> None:
        """It must be this reader's."""
        if self.cleaned_data["address"].key != self.reader.address_key:
            raise forms.ValidationError(_("That is not the address of this reader. Nothing was erased."))


def seen(user: User) -> QuerySet[Subscriber]:
    """Readers of this person's newsletters."""
    theirs = Subscription.objects.filter(subscriber=OuterRef("pk"))
    narrowed = permissions.of_newsletters(theirs, user=user, field="newsletter")
    return Subscriber.objects.all() if narrowed is theirs else Subscriber.objects.filter(Exists(narrowed))


def endable(reader: Subscriber) -> Any:
    """Subscriptions that have not ended."""
    return reader.subscriptions.filter(state__in=states.ENDABLE).select_related("newsletter")


def _unsubscribe(reader: Subscriber, user: User, values: Mapping[str, Any], now: datetime) -> None:
    chosen = values["subscription"]
    evidence = consent.Evidence(source=BY_HAND, basis=values["reason"])
    for subscription in [chosen] if chosen else endable(reader):
        signup.unsubscribe(subscription=subscription, evidence=evidence, reason=BY_HAND, actor=user, now=now)


def _block(reader: Subscriber, user: User, values: Mapping[str, Any], now: datetime) -> None:
    reason = Suppression.Reason.MANUAL
    suppression.suppress(address_key=reader.address_key, reason=reason, note=values["note"], actor=user, now=now)


def _lift(reader: Subscriber, user: User, values: Mapping[str, Any], now: datetime) -> None:
    suppression.lift(address_hash=reader.address_hash, actor=user, now=now, note=values["note"])


def _erase(reader: Subscriber, user: User, _values: Mapping[str, Any], now: datetime) -> None:
    evidence = consent.Evidence(source=BY_HAND)
    erasure.erase(address_key=reader.address_key, evidence=evidence, actor=user, now=now)


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its words, the right that it needs, its form, its verb, and when it is offered."""

    name: str
    label: str | Promise
    explanation: str | Promise
    done: str | Promise
    permission: str
    form: type[ReaderForm]
    run: Callable[[Subscriber, User, Mapping[str, Any], datetime], None]
    fits: Callable[[Subscriber, Suppression | None], bool] = lambda reader, suppressed: True
    destroys: bool = False

    def is_offered(self, user: User, reader: Subscriber, suppressed: Suppression | None) -> bool:
        """Whether this person may do it, and it makes sense."""
        return user.has_perm(self.permission) and self.fits(reader, suppressed)


ACTS: Final = {
    act.name: act
    for act in (
        Act(
            "unsubscribe", _("Unsubscribe"),
            _("The reader gets no further issue of it, and one goodbye letter. Only they can subscribe again."),
            _("The reader is unsubscribed."),
            "subscribers.change_subscription", Unsubscribe, _unsubscribe,
            lambda reader, suppressed: endable(reader).exists(),
        ),
        Act(
            "block", _("Block the address"),
            _("No mail leaves to this address any more, not even a letter. The subscriptions stay as they are, "
              "and you can lift the block."),
            _("The address is blocked."),
            "subscribers.add_suppression", Note, _block,
            lambda reader, suppressed: suppressed is None,
        ),
        Act(
            "lift", _("Lift the block"),
            _("Mail to this address is allowed again, and the next issue leaves to it."),
            _("The block is lifted."),
            "subscribers.delete_suppression", Note, _lift,
            lambda reader, suppressed: suppressed is not None,
        ),
        Act(
            "erase", _("Erase the reader"),
            _("Address, name, subscriptions and letters are deleted, and nobody can bring them back. What stays: the "
              "acts of consent under a keyed hash, which names nobody, the number of copies of past issues, and a "
              "block that keeps imports from bringing the reader back. The reader may subscribe again."),
            _("The reader is erased."),
            "subscribers.delete_subscriber", Erase, _erase, destroys=True,
        ),
    )
}  # fmt: skip


@pages.page("subscribers.view_subscriber", "POST")
@require_recent
def act(request: HttpRequest, uuid: uuids.UUID, name: str) -> HttpResponse:
    """Ask (GET), and act (POST)."""
    reader, chosen = get_object_or_404(seen(account(request)), uuid=uuid), ACTS.get(name)
    if chosen is None:
        raise Http404("There is no such act.")
    if not account(request).has_perm(chosen.permission):
        raise PermissionDenied
    form = chosen.form(request.POST if request.method == "POST" else None, reader=reader)
    if form.is_valid():
        chosen.run(reader, account(request), form.cleaned_data, database_clock.now())
        messages.success(request, str(chosen.done))
        gone = chosen.destroys
        return HttpResponseRedirect(reverse("desk:readers") if gone else reverse("desk:reader", args=[uuid]))
    return pages.show(
        request, "admin/desk/readers/act.html", title=chosen.label, act=chosen, reader=reader, form=form,
        back=reverse("desk:reader", args=[uuid]),
    )  # fmt: skip


@pages.page("subscribers.delete_suppression", "POST")
def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Lift a block of an address that is no reader's."""
    row = get_object_or_404(Suppression, pk=pk)
    form = Note(request.POST if request.method == "POST" else None, reader=Subscriber())
    if form.is_valid():
        suppression.lift(
            address_hash=row.address_hash, actor=account(request), now=database_clock.now(),
            note=form.cleaned_data["note"],
        )  # fmt: skip
        messages.success(request, str(ACTS["lift"].done))
        return HttpResponseRedirect(reverse("desk:readers"))
    explanation = _("Mail to this address is allowed again, if its reader subscribes.")
    return pages.show(
        request, "admin/desk/readers/act.html", title=ACTS["lift"].label, act=ACTS["lift"], form=form,
        explanation=explanation, suppressed=row, back=reverse("desk:readers"),
    )  # fmt: skip
