"""The stories of an issue in the admin: the first ones in the issue's form, all of them in a list."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.forms import PaginationInlineFormSet

from articles.models import Article
from digests import arranging, composing, issue_content, variants
from digests.admin import forms
from digests.admin.deliveries import of_newsletters
from digests.models import Issue, IssueItem
from publication.readonly_admin import ReadOnlyAdmin
from publication.row_actions import account
from publication.translated_admin import TranslatedFields

# A form with more rows is slow to render, and too large to be posted.
IN_FORM: Final = 100


class FirstItems(PaginationInlineFormSet):  # type: ignore[misc]  # django-unfold publishes no types
    """The first stories of the issue; `total` counts all."""

    def get_queryset(self) -> QuerySet[IssueItem]:
        """At most IN_FORM rows. For a posted form, the rows that it showed."""
        if not hasattr(self, "_shown"):
            items = super().get_queryset()
            chosen = self._posted_ids() if self.is_bound else list(items.values_list("pk", flat=True)[:IN_FORM])
            shown = items.filter(pk__in=chosen).select_related("issue__newsletter")
            self._shown: QuerySet[IssueItem] = shown.with_stories("lead_image")
        return self._shown

    def _posted_ids(self) -> list[str]:
        count = min(self.management_form.cleaned_data["INITIAL_FORMS"], IN_FORM)
        keys = [self.data.get(f"{self.prefix}-{number}-id", "") for number in range(count)]
        return [key for key in keys if key.isdecimal()]

    def add_fields(self, form: Any, index: int | None) -> None:
        """Words in further languages are asked of the stories that a mail shows, so that the page stays quick.

        What a posted form did not show stays as it is.
        """
        super().add_fields(form, index)
        is_beyond = index is None or index >= self.instance.newsletter.stories_in_full + self.headlines
        for name in form.names_by_language():
            if form.add_prefix(name) not in form.data if form.is_bound else is_beyond:
                del form.fields[name]

    @property
    def total(self) -> int:
        """How many stories the issue has."""
        return self.instance.items.count() if self.instance.pk else 0

    @property
    def is_short(self) -> bool:
        """Whether the issue has more stories than the form shows."""
        return self.total > IN_FORM

    @property
    def headlines(self) -> int:
        """How many stories a mail shows as headlines, at most."""
        return issue_content.HEADLINES


class IssueItemInline(TranslatedFields, TabularInline):  # type: ignore[misc]  # django-unfold publishes no types
    """The stories in their order. A story that was left out keeps its row."""

    model = IssueItem
    form = forms.IssueItemForm
    formset = FirstItems
    extra = 0
    fields = ("article", "position", "included", "headline", "summary")
    autocomplete_fields = ("article",)
    ordering_field = "position"
    verbose_name_plural = _("Stories, in the order in which readers see them")
    template_before = "admin/digests/issue/items.html"
    empty_words = _("Empty: that of the translated story.")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Any:
        """With a name of its own: the head of the column is none to those who hear the page."""
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.widget.attrs["aria-label"] = _("Story")
        return field

    def get_formset(self, request: HttpRequest, obj: Issue | None = None, **kwargs: Any) -> Any:
        """With the words of each story in each language in which readers may get the issue."""
        spoken = variants.offered(issue=obj) if obj is not None and composing.is_editable(issue=obj) else []
        return super().get_formset(request, obj, form=self.translated(request, self.form, spoken), **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """Only in a draft, and only for a person who may edit it. A letter has no stories."""
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """As for adding."""
        is_open = obj is None or (composing.is_editable(issue=obj) and obj.kind != Issue.Kind.LETTER)
        return is_open and request.user.has_perm("digests.change_issue")

    def has_delete_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """Never: a story is left out by its checkbox. If its row were deleted, the next digest would have it."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Issue | None = None) -> bool:
        """As for the issue."""
        return request.user.has_perm("digests.view_issue")


@admin.register(IssueItem)
class IssueItemAdmin(ReadOnlyAdmin):
    """All stories of an issue, in pages. The issue's form links here."""

    list_display = ("shown_headline", "shown_issue", "position", "included")
    list_display_links = None
    list_filter = ("included",)
    list_per_page = 100
    ordering = ("issue_id", "position", "pk")
    search_fields = ("headline", "article__headline")
    search_help_text = _("Words of a headline")
    actions = ("leave_out", "take_back", "move_to_top")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Not in the menu: the list is useful for one issue at a time only."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[IssueItem]:
        """Those of this person's newsletters. The stories load without their texts, for one page only."""
        items: QuerySet[IssueItem] = of_newsletters(super().get_queryset(request), request)
        stories = Prefetch("article", Article.objects.all().without_text())
        return items.prefetch_related(stories, "issue__newsletter")

    def has_arrange_permission(self, request: HttpRequest) -> bool:
        """Whether this person may change the stories of a draft."""
        return request.user.has_perm("digests.change_issue")

    @admin.display(description=_("Story"), ordering="article__headline")
    def shown_headline(self, item: IssueItem) -> str:
        """The headline in this issue."""
        return str(item)

    # A foreign key as a column would make the admin join all of its tables.
    @admin.display(description=_("Issue"))
    def shown_issue(self, item: IssueItem) -> str:
        """The issue by its subject, or its newsletter and period."""
        return str(item.issue)

    @admin.action(description=_("Leave out of the issue"), permissions=["arrange"])
    def leave_out(self, request: HttpRequest, queryset: QuerySet[IssueItem]) -> None:
        """Leave the chosen stories out."""
        self._arrange(request, queryset, arranging.leave_out)

    @admin.action(description=_("Take back into the issue"), permissions=["arrange"])
    def take_back(self, request: HttpRequest, queryset: QuerySet[IssueItem]) -> None:
        """Take the chosen stories back in."""
        self._arrange(request, queryset, arranging.take_back)

    @admin.action(description=_("Move to the top of the issue"), permissions=["arrange"])
    def move_to_top(self, request: HttpRequest, queryset: QuerySet[IssueItem]) -> None:
        """Put the chosen stories first."""
        self._arrange(request, queryset, arranging.move_to_top)

    def _arrange(
        self, request: HttpRequest, queryset: QuerySet[IssueItem], verb: Callable[..., int], **_options: Any
    ) -> None:
        """Run the verb for each issue of the chosen stories."""
        chosen: dict[int, list[int]] = {}
        for issue_id, item_id in queryset.order_by().values_list("issue_id", "pk"):
            chosen.setdefault(issue_id, []).append(item_id)
        count = 0
        for issue in Issue.objects.filter(pk__in=chosen):
            count += _run(request, verb, issue, chosen[issue.pk])
        messages.info(
            request,
            ngettext("%(count)s story was changed.", "%(count)s stories were changed.", count) % {"count": count},
        )


def _run(request: HttpRequest, verb: Callable[..., int], issue: Issue, items: Collection[int]) -> int:
    try:
        return verb(issue=issue, items=items, actor=account(request))
    except (arranging.NotEditable, composing.Mismatch) as refusal:
        messages.error(request, str(refusal))
        return 0
