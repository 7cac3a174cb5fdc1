"""The audit log in the admin: read, filtered and exported, and never written."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter

from core import csv_export, database_clock
from publication.readonly_admin import ReadOnlyAdmin
from publication.row_actions import account
from staff import audit_export, audit_sentences, reauthentication
from staff.models import AuditEvent

NOBODY = "0"
LINE = '<span class="font-medium text-font-important-light dark:text-font-important-dark">{}</span>'


class Person(admin.SimpleListFilter):
    """Who acted: a member of staff, or nobody."""

    title = _("person")
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Everybody who has or had an account of the team."""
        team = User.objects.filter(is_staff=True).order_by("username").values_list("pk", "username")
        return [(NOBODY, str(_("The clock or a command"))), *((str(pk), name) for pk, name in team)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """By the number of the account, which outlives it."""
        if not self.value():
            return queryset
        return queryset.filter(actor_id=None if self.value() == NOBODY else int(str(self.value())))


class Kind(admin.SimpleListFilter):
    """What was acted on."""

    title = _("object")
    parameter_name = "object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What verbs record, in an editor's words."""
        return [
            ("articles.article", str(_("Stories"))),
            ("articles.image", str(_("Pictures"))),
            ("digests.issue", str(_("Issues"))),
            ("subscribers.newsletter", str(_("Newsletters"))),
            ("subscribers.subscriber", str(_("Readers"))),
            ("subscribers.suppression", str(_("Blocked addresses"))),
            ("subscribers.legalversion", str(_("Legal texts"))),
            ("publication.publication", str(_("Publication"))),
            ("auth.user", str(_("People"))),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """By the index `audit_of_object`."""
        return queryset.filter(object_type=self.value()) if self.value() else queryset


class Period(RangeDateFilter):  # type: ignore[misc]  # django-unfold publishes no types
    """From the first to the last day, both included, in the time zone of the desk."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        """unfold's own would end at the beginning of the last day. On failure: ValueError."""
        if first := self.used_parameters.get(f"{self.field_path}_from"):
            queryset = queryset.filter(occurred_at__gte=_midnight(first))
        if last := self.used_parameters.get(f"{self.field_path}_to"):
            queryset = queryset.filter(occurred_at__lt=_midnight(last) + timedelta(days=1))
        return queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what, when, as a sentence each. The database refuses every change."""

    list_display = ("shown_when", "shown_sentence")
    list_display_links = None
    list_filter = (Person, Kind, ("action", ChoicesDropdownFilter), ("occurred_at", Period))
    list_filter_submit = True
    list_before_template = "admin/staff/auditevent/export.html"
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("object_name", "actor_name", "=object_id")
    search_help_text = _("Words of the name of a story, an issue or a newsletter, its number, or a person's name.")
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "occurred_at", "shown_sentence", "actor_name", "object_type", "object_id", "object_name", "detail",
        "previous_hash", "hash",
    )  # fmt: skip
    readonly_fields = ("shown_sentence",)

    def has_view_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        """For those whom no limit keeps out."""
        return audit_export.may_see(account(request))

    def get_urls(self) -> list[URLPattern]:
        """The admin's own addresses, and the file's."""
        export = self.admin_site.admin_view(require_POST(reauthentication.require_recent(self.export_view)))
        return [path("export/", export, name="staff_auditevent_export"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list, with the address of the file of the very entries that it shows."""
        address = f"{reverse('admin:staff_auditevent_export')}?{request.GET.urlencode()}"
        return super().changelist_view(request, {**(extra_context or {}), "export_address": address})

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """The entries of these filters as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        events = self.get_changelist_instance(request).get_queryset(request).order_by("pk")
        lines = audit_export.export(
            events=events, filters=dict(request.GET.lists()), actor=account(request), now=database_clock.now()
        )
        return csv_export.download(lines, name="audit-log")

    @admin.display(description=_("When"))
    def shown_when(self, event: AuditEvent) -> str:
        """In the time zone of the desk."""
        return date_format(timezone.localtime(event.occurred_at), "DATETIME_FORMAT")

    @admin.display(description=_("What happened"))
    def shown_sentence(self, event: AuditEvent) -> SafeString:
        """The sentence, and below it what else is on record."""
        rest = format_html_join(" · ", "{}", ((phrase,) for phrase in audit_sentences.details(event)))
        words = audit_sentences.sentence(event)
        line = format_html(LINE, words)
        return format_html('<div>{}<div class="text-xs break-words">{}</div></div>', line, rest) if rest else line


def _midnight(day: str) -> datetime:
    if (date := parse_date(day)) is None:
        raise ValueError(day)
    return timezone.make_aware(datetime.combine(date, time()))
