"""Deliveries, their events, and snapshots in the admin. They cannot be edited."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy
from unfold.decorators import display

from core import database_clock
from digests import freezing, uncertain
from digests.admin import actions
from digests.models import Delivery, DeliveryEvent, Issue, Snapshot
from publication.readonly_admin import ReadOnlyAdmin
from publication.row_actions import account
from staff import reauthentication
from subscribers import permissions
from subscribers.models import Subscriber

Row = TypeVar("Row", bound=Model)
LIST = "digests_delivery_changelist"
MOST_ISSUES = 50
STATE_LABELS = {
    Delivery.State.ACCEPTED: "success",
    Delivery.State.REJECTED: "danger",
    Delivery.State.UNCERTAIN: "warning",
    Delivery.State.DEFERRED: "warning",
    Delivery.State.RENDER_FAILED: "danger",
}
ACCEPTED = ngettext_lazy(
    "%(count)s uncertain copy called accepted.", "%(count)s uncertain copies called accepted.", "count"
)
RESENT = ngettext_lazy(
    "%(count)s uncertain copy to be sent again.", "%(count)s uncertain copies to be sent again.", "count"
)


class EngineAdmin(ReadOnlyAdmin):
    """Read-only lists of rows that the engine and providers write, in large numbers."""

    list_per_page = 50
    # Counting a million rows would take longer than the rest of the page.
    show_full_result_count = False


def of_newsletters(rows: QuerySet[Row], request: HttpRequest) -> QuerySet[Row]:
    """The rows of issues of this person's newsletters."""
    return permissions.of_newsletters(rows, user=account(request), field="issue__newsletter")


class RecentIssues(admin.RelatedFieldListFilter):
    """The newest issues that have copies, by the issues' own rows: nobody walks over all copies for it."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Number and subject of each."""
        issues = Issue.objects.filter(planned_at__isnull=False).select_related("newsletter").order_by("-planned_at")
        return [(str(issue.pk), str(issue)) for issue in issues[:MOST_ISSUES]]


@admin.register(Delivery)
class DeliveryAdmin(EngineAdmin):
    """Deliveries. A person may settle uncertain ones."""

    list_display = (
        "id",
        "subscriber",
        "issue",
        "shown_state",
        "reason_sentence",
        "attempts",
        "attempted_at",
        "settled_at",
    )
    list_filter = ("state", "reason", "issue__newsletter", ("issue", RecentIssues))
    list_select_related = ("subscriber", "issue__newsletter")
    # What `get_search_results` does with it.
    search_fields = ("subscriber__address",)
    search_help_text = _(
        "An address, or the id that the provider gave. Without a search and without an issue, these are the copies of "
        "issues under way."
    )
    actions = ("call_accepted", "send_again")

    @display(description=_("State"), ordering="state", label=STATE_LABELS)  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def shown_state(self, delivery: Delivery) -> tuple[str, str]:
        """The state, which selects the colour, and its label."""
        return delivery.state, delivery.get_state_display()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        """All copies; on the list those under way, unless an issue or a reader is asked for."""
        everything = of_newsletters(super().get_queryset(request), request)
        is_list = request.resolver_match is not None and request.resolver_match.url_name == LIST
        is_asked = any(request.GET.get(name) for name in ("q", "issue__id__exact"))
        return everything.filter(month__isnull=True) if is_list and not is_asked else everything

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        """By the reader, whom an index knows; else by the provider's id, of one issue or of those under way."""
        if not search_term:
            return queryset, False
        readers = Subscriber.objects.filter(address__icontains=search_term)
        if readers.exists():
            return queryset.filter(subscriber__in=readers), False
        near = queryset if request.GET.get("issue__id__exact") else queryset.filter(month__isnull=True)
        return near.filter(remote_id__icontains=search_term), False

    def has_send_permission(self, request: HttpRequest) -> bool:
        """The permission of the actions below."""
        return request.user.has_perm(actions.SEND)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponseBase | None:
        """Send those that are ticked again, after the password, as from the issue's page; or another act."""
        act = super().response_action
        if request.POST.get("action") == "send_again":
            return reauthentication.require_recent(act)(request, queryset)
        return act(request, queryset)

    @admin.action(description=_("Call uncertain copies accepted"), permissions=["send"])
    def call_accepted(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Settle the chosen uncertain copies as accepted."""
        self._decide(request, queryset, uncertain.accept, ACCEPTED)

    @admin.action(description=_("Send uncertain copies again (readers may get two)"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Send the chosen uncertain copies again."""
        self._decide(request, queryset, uncertain.resend, RESENT)

    def _decide(self, request: HttpRequest, queryset: QuerySet[Delivery], verb: Any, done: Any) -> None:
        """Run the verb per issue of the chosen copies, and report how many were uncertain."""
        chosen: dict[int, list[int]] = {}
        for issue_id, delivery_id in queryset.order_by().values_list("issue_id", "pk"):
            chosen.setdefault(issue_id, []).append(delivery_id)
        count = 0
        for issue in Issue.objects.filter(pk__in=chosen):
            try:
                count += verb(
                    issue=issue, deliveries=chosen[issue.pk], actor=account(request), now=database_clock.now()
                )
            except uncertain.NotAllowed as refusal:
                messages.error(request, f"{issue}: {refusal}")
        messages.info(request, done % {"count": count})


@admin.register(DeliveryEvent)
class DeliveryEventAdmin(EngineAdmin):
    """Delivery events. Their descriptions are foreign text and are shown as text."""

    list_display = ("received_at", "kind", "provider", "issue", "delivery_uuid", "description", "settled_at")
    list_filter = ("kind", "provider", "received_at")
    list_select_related = ("issue__newsletter",)
    search_fields = ("event_id", "description")
    search_help_text = _("The provider's event id, its words, or a reader's address")
    # By the key's own index; a hierarchy of dates would read every report.
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryEvent]:
        """Of this person's newsletters."""
        return of_newsletters(super().get_queryset(request), request)


@admin.register(Snapshot)
class SnapshotAdmin(EngineAdmin):
    """Snapshots, and whether their hash still matches."""

    list_display = ("subject", "issue", "frozen_at", "sha256")
    list_filter = ("issue__newsletter", "frozen_at")
    list_select_related = ("issue__newsletter",)
    search_fields = ("subject", "preheader", "text", "sha256")
    search_help_text = _("Words of the mail, or its hash")
    fields = ("issue", "subject", "preheader", "text", "headers", "audience_rule", "sha256", "is_genuine", "frozen_at")
    readonly_fields = ("is_genuine",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Snapshot]:
        """Of this person's newsletters."""
        return of_newsletters(super().get_queryset(request), request)

    @display(description=_("Unchanged since it was frozen"), boolean=True)  # type: ignore[untyped-decorator]  # django-unfold publishes no types
    def is_genuine(self, snapshot: Snapshot) -> bool:
        """Compute the hash again and compare."""
        return freezing.verify(snapshot=snapshot)
