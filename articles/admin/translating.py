"""What the page of a story says of its translations, and how one is begun or said to be up to date."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from articles import permissions, publishing, translations
from articles.admin.reviewing import ReviewAdmin
from articles.models import Article
from core import database_clock
from publication import languages
from publication.models import Publication
from publication.row_actions import account


class LanguageFilter(admin.SimpleListFilter):
    """Stories in one of the publication's languages."""

    title = gettext_lazy("Language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """None for a publication in one language."""
        served = Publication.objects.current().languages
        return [(language, languages.name_of(language)) for language in served] if len(served) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        """The stories of the language."""
        language = self.value()
        return queryset.filter(language=language) if language else queryset


class TranslationFilter(admin.SimpleListFilter):
    """What is left to translate."""

    title = gettext_lazy("Translation")
    parameter_name = "translation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """None for a publication in one language."""
        served = Publication.objects.current().languages
        if len(served) < 2:
            return []
        missing = [
            (language, _("Missing in %(language)s") % {"language": languages.name_of(language)}) for language in served
        ]
        return [("stale", _("The original was changed since")), *missing]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        """Stale translations, or originals without a text in the language."""
        language = self.value()
        if language == "stale":
            return queryset.filter(stale_since__isnull=False)
        if language:
            there = Article.objects.filter(language=language, translation_of__isnull=False).values("translation_of")
            return queryset.filter(translation_of__isnull=True).exclude(language=language).exclude(pk__in=there)
        return queryset


class TranslatingAdmin(ReviewAdmin):
    """A model admin of stories that are in several languages."""

    def translating_urls(self) -> list[URLPattern]:
        """For `get_urls`, before the admin's own."""
        guard = self.admin_site.admin_view
        return [
            path("<int:pk>/translate/", guard(self.translate_view), name="articles_article_translate"),
            path("<int:pk>/translated/", guard(self.confirm_view), name="articles_article_translated"),
        ]

    def side(self, request: HttpRequest, story: Article | None) -> dict[str, Any]:
        """What the panels of the page show."""
        shown = super().side(request, story)
        publication = Publication.objects.current()
        if story is None or (len(publication.languages) < 2 and story.translation_of_id is None):
            return shown
        shown["translations"] = translations.places(story, publication=publication)
        shown["may_translate"] = account(request).has_perm(permissions.ADD)
        return shown

    @method_decorator(require_POST)
    def translate_view(self, request: HttpRequest, pk: int) -> HttpResponseRedirect:
        """Begin the translation into the language that was chosen, and open it."""
        story, language = self.seen(request, pk), request.POST.get("language", "")
        try:
            draft = translations.translate(
                article=story, language=language, actor=account(request), now=database_clock.now()
            )
        except publishing.PublishingError as refusal:
            messages.error(request, str(refusal))
            return self._page_of(story)
        messages.success(request, _("This draft has the words of the original. Write the translation over them."))
        return self._page_of(draft)

    @method_decorator(require_POST)
    def confirm_view(self, request: HttpRequest, pk: int) -> HttpResponseRedirect:
        """Say that the translation has what the original says now."""
        story = self.seen(request, pk)
        try:
            translations.confirm(article=story, actor=account(request), now=database_clock.now())
        except publishing.PublishingError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The translation is up to date."))
        return self._page_of(story)

    def _page_of(self, story: Article) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:articles_article_change", args=[story.pk]))
