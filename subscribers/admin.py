"""Subscribers in the admin. Verbs change their state; the consent record is read-only."""

from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Exists, ManyToManyField, Model, OuterRef, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminEmailInputWidget

from publication.change_lists import ModelAdmin
from publication.readonly_admin import ReadOnlyAdmin
from publication.row_actions import account
from publication.translated_admin import TranslatedAdmin
from staff import changes, reauthentication
from staff.admin.ordering import OrderedAdmin
from staff.admin.senders import SenderAdmin
from staff.audit_actions import AuditAction
from subscribers import (
    admin_legal,  # noqa: F401  # registers the legal texts
    admin_welcome,  # noqa: F401  # registers the welcome letters
    consent,
    erasure,
    permissions,
    signup,
    suppression,
)
from subscribers.admin_release import ReleasesLetters
from subscribers.admin_schedules import CadenceOfferInline, SaysWhenItRuns
from subscribers.consent_filters import AboutNewsletter, Behind, Source
from subscribers.forms import AddressField
from subscribers.models import (
    ConsentEvent,
    ConsentOrigin,
    Letter,
    Newsletter,
    Subscriber,
    Subscription,
    Suppression,
)
from subscribers.segment_filters import InSegment

Row = TypeVar("Row", bound=Model)
BY_HAND = consent.Evidence(source="admin")


@admin.register(Newsletter)
class NewsletterAdmin(TranslatedAdmin, SaysWhenItRuns, ReleasesLetters, OrderedAdmin, SenderAdmin):
    """What readers can subscribe to."""

    audit_action = AuditAction.NEWSLETTER_CHANGED
    order = permissions.NEWSLETTERS
    order_name = "newsletters"
    list_display = ("name", "slug", "is_open", "auto_approve", "time_zone", "waiting_letters")
    list_filter = ("is_open", "auto_approve")
    search_fields = ("name", "slug", "description")
    formfield_overrides = {ManyToManyField: {"widget": UnfoldAdminCheckboxSelectMultipleWidget}}
    autocomplete_fields = ("topic_tags",)
    inlines = (CadenceOfferInline,)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """There may be thousands of tags, which are searched for."""
        if db_field.name in self.autocomplete_fields:
            kwargs.pop("widget", None)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Newsletter]:
        """This person's newsletters."""
        return permissions.of_newsletters(super().get_queryset(request), user=account(request), field="pk")

    def get_readonly_fields(self, request: HttpRequest, obj: Newsletter | None = None) -> tuple[str, ...]:
        """Approval is for those who found newsletters to waive, the sender a publisher's; a slug in the proof stays."""
        founded = (
            () if request.user.has_perm("subscribers.add_newsletter") else ("auto_approve", "second_person_approves")
        )
        sender = () if request.user.has_perm(changes.CHANGE_SENDER) else changes.SENDER
        slug = ("slug",) if obj and obj.subscriptions.exists() else ()
        return (*founded, *sender, *slug)

    def audited_values(self, row: Newsletter) -> changes.Values:
        """With the cadences that it offers."""
        return changes.values(row, cadences=[offer.audit_name for offer in row.offers.order_by("cadence")])

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Newsletter | None = None
    ) -> dict[str, tuple[str, ...]]:
        """Only where it is still free."""
        return {} if obj and obj.subscriptions.exists() else {"slug": ("name",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Not those who are limited to some newsletters: the new one would be none of theirs."""
        return permissions.has_all(permissions.ADD_NEWSLETTER, user=account(request))

    def has_delete_permission(self, request: HttpRequest, obj: Newsletter | None = None) -> bool:
        """One that somebody subscribed to stays; close it instead."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and not (obj and obj.subscriptions.exists())


class SubscriptionInline(TabularInline):  # type: ignore[misc]  # django-unfold publishes no types
    """What this reader has chosen."""

    model = Subscription
    fields = ("newsletter", "cadence", "state", "confirmed_at", "unsubscribed_at", "paused_until")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Readers subscribe themselves."""
        return False


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnlyAdmin):
    """One mailbox each. Deleting one here is an erasure, with all that this means."""

    list_display = ("address", "name", "created_at")
    list_filter = ("subscriptions__newsletter", "subscriptions__state", InSegment, "created_at")
    # The newest first, by the key's own index.
    ordering = ("-pk",)
    # What `get_search_results` does with it.
    search_fields = ("address_key",)
    search_help_text = _("The beginning of an address.")
    fields = ("address", "name", "language", "tracking_consent", "created_at", "uuid")
    inlines = (SubscriptionInline,)
    actions = ("block",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Subscriber], search_term: str
    ) -> tuple[QuerySet[Subscriber], bool]:
        """By how the address begins, which the unique key's index for patterns answers among a million."""
        begins = search_term.strip().lower()
        return (queryset.filter(address_key__startswith=begins) if begins else queryset), False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Who may erase people."""
        return permissions.has_all(permissions.ERASE, user=account(request))

    def has_block_permission(self, request: HttpRequest) -> bool:
        """Who may stop all mail to an address."""
        return permissions.has_all(permissions.BLOCK, user=account(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscriber]:
        """Readers of this person's newsletters."""
        return _to_their_readers(super().get_queryset(request), request, field="pk")

    def get_deleted_objects(
        self, objs: QuerySet[Subscriber], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What the page that asks for confirmation lists: the people, with everything that is theirs."""
        return [f"{person} with all subscriptions and letters" for person in objs], {"readers": len(objs)}, set(), []

    @method_decorator(reauthentication.require_recent)
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Ask, for the password too."""
        return super().delete_view(request, object_id, extra_context)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> HttpResponseBase | None:
        """Erase those that are ticked, after the password; or another act."""
        act = super().response_action
        if request.POST.get("action") == "delete_selected":
            return reauthentication.require_recent(act)(request, queryset)
        return act(request, queryset)

    def delete_model(self, request: HttpRequest, obj: Subscriber) -> None:
        """Erase one person."""
        erasure.erase(address_key=obj.address_key, evidence=BY_HAND, actor=account(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """Erase each person."""
        for person in queryset:
            self.delete_model(request, person)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """The admin's own log would keep the addresses of the erased; the consent chain has the act."""

    @admin.action(description=_("Block: no more mail to these addresses"), permissions=["block"])
    def block(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        """Suppress by hand."""
        for person in queryset:
            suppression.suppress(
                address_key=person.address_key,
                reason=Suppression.Reason.MANUAL,
                note=_by(request),
                actor=account(request),
                now=timezone.now(),
            )
        self.message_user(
            request,
            ngettext("%(count)s blocked.", "%(count)s blocked.", len(queryset)) % {"count": len(queryset)},
            messages.SUCCESS,
        )


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    """Who has what. Only the reader confirms; the team can end a subscription."""

    list_display = ("subscriber", "newsletter", "cadence", "state", "confirmed_at", "paused_until")
    list_filter = ("state", "newsletter", "cadence", Behind)
    ordering = ("-pk",)
    search_fields = ("subscriber__address_key__startswith",)
    search_help_text = _("The beginning of an address, in small letters.")
    list_select_related = ("subscriber", "newsletter")
    actions = ("unsubscribe",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        """Those to this person's newsletters."""
        return permissions.of_newsletters(super().get_queryset(request), user=account(request), field="newsletter")

    def has_unsubscribe_permission(self, request: HttpRequest) -> bool:
        """Who may end subscriptions for readers who asked for it."""
        return request.user.has_perm("subscribers.change_subscription")

    @admin.action(description=_("Unsubscribe these readers"), permissions=["unsubscribe"])
    def unsubscribe(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> None:
        """End each of them, with a goodbye letter."""
        now = timezone.now()
        ended = [
            signup.unsubscribe(subscription=row, evidence=BY_HAND, reason="admin", actor=account(request), now=now)
            for row in queryset.select_related("newsletter")
        ]
        self.message_user(
            request,
            ngettext("%(count)s unsubscribed.", "%(count)s unsubscribed.", sum(ended)) % {"count": sum(ended)},
            messages.SUCCESS,
        )


class ProofAdmin(ReadOnlyAdmin):
    """What proves consent: for those who have every newsletter, as the proof of one reader is."""

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Who may prove a consent."""
        return permissions.has_all(permissions.PROVE, user=account(request))


@admin.register(ConsentEvent)
class ConsentEventAdmin(ProofAdmin):
    """The proof. The database refuses every change."""

    list_display = ("occurred_at", "kind", "newsletter_slug", "cadence", "source", "subscriber_uuid")
    list_filter = ("kind", AboutNewsletter, Source, "occurred_at")
    search_fields = ("subscriber_uuid", "address_hash", "hash")
    search_help_text = _("A reader's uuid or the keyed hash of an address.")


@admin.register(ConsentOrigin)
class ConsentOriginAdmin(ProofAdmin):
    """Network addresses of acts, cut to their network after 30 days."""

    list_display = ("event", "ip", "truncated_at")
    list_filter = ("truncated_at",)
    search_fields = ("event__subscriber_uuid",)
    list_select_related = ("event",)


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's ModelForm is not generic at run time
    """An address goes in; only its keyed hash is kept."""

    address = AddressField(
        label=_("E-mail address"),
        widget=UnfoldAdminEmailInputWidget,
        help_text=_("It is not stored: only a hash of it is kept."),
    )

    class Meta:
        model = Suppression
        fields = ("address", "reason", "note")


@admin.register(Suppression)
class SuppressionAdmin(ModelAdmin):
    """Addresses that get no mail, by hash. Type an address to add one; lift by the action."""

    form = SuppressionForm
    list_display = ("address_hash", "reason", "note", "created_at")
    list_filter = ("reason", "created_at")
    search_fields = ("address_hash", "note")
    search_help_text = _("Words of the note. An address is looked for by “Find a reader”.")
    actions = ("lift",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may stop all mail to an address: not those who are limited to some newsletters."""
        return permissions.has_all(permissions.BLOCK, user=account(request))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A reason is not rewritten."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Lifting is an action with a name of its own."""
        return False

    def has_lift_permission(self, request: HttpRequest) -> bool:
        """Who may allow mail again."""
        return permissions.has_all(permissions.LIFT, user=account(request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What is added here is added by hand."""
        return {"reason": Suppression.Reason.MANUAL}

    def save_model(self, request: HttpRequest, obj: Suppression, form: SuppressionForm, change: bool) -> None:
        """Suppress the address that was typed."""
        row = suppression.suppress(
            address_key=form.cleaned_data["address"].key,
            reason=Suppression.Reason(obj.reason),
            note=obj.note,
            actor=account(request),
            now=timezone.now(),
        )
        obj.pk, obj.address_hash = row.pk, row.address_hash

    @admin.action(description=_("Lift: allow mail to these addresses again"), permissions=["lift"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        """Lift each of them."""
        now = timezone.now()
        lifted = [suppression.lift(address_hash=row.address_hash, actor=account(request), now=now) for row in queryset]
        self.message_user(
            request,
            ngettext("%(count)s lifted.", "%(count)s lifted.", sum(lifted)) % {"count": sum(lifted)},
            messages.SUCCESS,
        )


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    """Mails about one's own subscription, and what became of them."""

    list_display = ("kind", "subscriber", "state", "attempts", "due_at", "shown_reason", "created_at")
    list_filter = ("state", "reason", "kind", "created_at", ("welcome", admin.RelatedOnlyFieldListFilter))
    ordering = ("-pk",)
    search_fields = ("subscriber__address_key__startswith", "=uuid")
    search_help_text = _("The beginning of an address, in small letters, or the letter's id.")
    list_select_related = ("subscriber",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Letter]:
        """Those to readers of this person's newsletters."""
        return _to_their_readers(super().get_queryset(request), request, field="subscriber")

    @admin.display(description=_("Reason"), ordering="reason")
    def shown_reason(self, obj: Letter) -> str:
        """As a sentence."""
        return obj.reason_sentence


def _to_their_readers(rows: QuerySet[Row], request: HttpRequest, *, field: str) -> QuerySet[Row]:
    """The rows about readers of this person's newsletters."""
    theirs = Subscription.objects.filter(subscriber=OuterRef(field))
    narrowed = permissions.of_newsletters(theirs, user=account(request), field="newsletter")
    return rows if narrowed is theirs else rows.filter(Exists(narrowed))


def _by(request: HttpRequest) -> str:
    return f"by {request.user.get_username()}" if isinstance(request.user, User) else ""
