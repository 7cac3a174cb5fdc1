"""Sections, tags and authors in the admin."""

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from articles import permissions
from articles.models import Author, Section, Tag
from publication.change_lists import ModelAdmin
from publication.row_actions import account
from publication.translated_admin import TranslatedAdmin
from staff import limits
from staff.admin.ordering import OrderedAdmin
from staff.models import LimitKind


class Counted(ModelAdmin):
    """A list that tells how many stories each entry has."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Section | Tag | Author]:
        """With the number of stories, in one query."""
        rows: QuerySet[Section | Tag | Author] = super().get_queryset(request)
        counted: QuerySet[Section | Tag | Author] = rows.annotate(stories=Count("articles", distinct=True))
        return counted

    @admin.display(description=_("Stories"), ordering="stories")
    def shown_stories(self, row: Section | Tag | Author) -> int:
        """How many stories, in any state."""
        count: int = row.stories  # type: ignore[union-attr]  # annotated by get_queryset
        return count


@admin.register(Section)
class SectionAdmin(TranslatedAdmin, Counted, OrderedAdmin):
    """The desks, in the order of the navigation."""

    list_display = ("name", "slug", "shown_stories")
    order = permissions.SECTIONS
    order_name = "sections"
    list_per_page = 200
    search_fields = ("name", "slug", "description")
    prepopulated_fields = {"slug": ("name",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Not those who are limited to some sections: the new one would be none of theirs."""
        allowed: bool = super().has_add_permission(request)
        return allowed and limits.of(account(request), kind=LimitKind.SECTION) is None

    def has_change_permission(self, request: HttpRequest, obj: Section | None = None) -> bool:
        """Those who have the section."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and _has(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Section | None = None) -> bool:
        """As for changing."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and _has(request, obj)


def _has(request: HttpRequest, section: Section | None) -> bool:
    return section is None or limits.allows(account(request), kind=LimitKind.SECTION, object_id=section.pk)


@admin.register(Tag)
class TagAdmin(TranslatedAdmin, Counted):
    """Labels across the desks."""

    list_display = ("name", "slug", "shown_stories")
    list_filter = ("articles__section",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}


@admin.register(Author)
class AuthorAdmin(TranslatedAdmin, Counted):
    """Bylines, and the accounts that write under them."""

    list_display = ("name", "role", "user", "shown_stories")
    list_filter = ("role",)
    list_select_related = ("user",)
    search_fields = ("name", "slug", "role", "biography")
    prepopulated_fields = {"slug": ("name",)}
    # The face is searched in the library of pictures while one types.
    autocomplete_fields = ("picture",)
