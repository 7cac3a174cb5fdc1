"""Legal texts in the admin: a new version starts from the present one, and asks before it is public."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mailkit import html
from publication import languages, markdown_forms
from publication.forms import LanguageChoice
from publication.markdown_widget import MarkdownTextarea
from publication.models import Publication
from publication.row_actions import account, link
from publication.translated_admin import TranslatedAdmin
from staff.admin.ordering import LinksToOrder, OrderedAdmin
from subscribers import differences, legal, permissions
from subscribers.models import LegalDocument, LegalVersion


@admin.register(LegalDocument)
class LegalDocumentAdmin(TranslatedAdmin, OrderedAdmin):
    """Terms of use, privacy policy; their texts are versions."""

    order = permissions.LEGAL_TEXTS
    order_name = "legal-texts"
    list_display = ("title", "kind", "slug")
    list_filter = ("kind",)
    search_fields = ("title", "slug")
    prepopulated_fields = {"slug": ("title",)}


class LegalText(forms.ModelForm):  # type: ignore[type-arg]  # Django's ModelForm is not generic at run time
    """The words of a version."""

    class Meta:
        model = LegalVersion
        fields = ["document", "language", "translation_of", "body_markdown", "change_note"]
        widgets = {"body_markdown": MarkdownTextarea(attrs={"rows": 28})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            own = self.initial.get("language") or languages.first()
            help_text = _("Readers see this text, and agree to it, on the pages of this language.")
            self.fields["language"] = LanguageChoice(label=_("Language"), own=own, help_text=help_text)

        if "translation_of" in self.fields:
            originals = LegalVersion.objects.filter(translation_of__isnull=True).exclude(pk=self.instance.pk)
            self.fields["translation_of"].queryset = originals.select_related("document")  # type: ignore[attr-defined]  # a ModelChoiceField

    def clean(self) -> dict[str, Any]:
        """What it translates is a version of the same document in another language."""
        values = super().clean() or {}
        original = values.get("translation_of")
        document = values["document"].pk if values.get("document") else self.instance.document_id
        language = values.get("language") or self.instance.language
        if original is not None and (original.document_id != document or original.language == language):
            self.add_error("translation_of", _("Choose a version of this text in another language."))
        return values

    def clean_language(self) -> str:
        """The publication's first language where none is chosen."""
        return self.cleaned_data["language"] or languages.first()

    def clean_body_markdown(self) -> str:
        """A text that can be shown."""
        return markdown_forms.check(
            form=self, field="body_markdown", render=lambda text: html.render(text, profile="legal")
        )


@admin.register(LegalVersion)
class LegalVersionAdmin(LinksToOrder):
    """Drafts can be edited; a published text is kept as it is."""

    order = permissions.LEGAL_TEXTS
    order_name = "legal-texts"
    list_display = ("document", "number", "language", "change_note", "published_at")
    list_filter = ("document", "language", "published_at")
    search_fields = ("document__title", "change_note", "sha256")
    list_select_related = ("document",)
    form = LegalText
    readonly_fields = ("number", "published_at", "sha256")
    fields = (*LegalText.Meta.fields, *readonly_fields)

    def has_change_permission(self, request: HttpRequest, obj: LegalVersion | None = None) -> bool:
        """Drafts only."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.published_at is None)

    def has_delete_permission(self, request: HttpRequest, obj: LegalVersion | None = None) -> bool:
        """Drafts only."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and obj is not None and obj.published_at is None

    def get_readonly_fields(self, request: HttpRequest, obj: LegalVersion | None = None) -> tuple[str, ...]:
        """A draft stays with its document, in its language."""
        return self.readonly_fields if obj is None else (*self.readonly_fields, "document", "language")

    def save_model(self, request: HttpRequest, obj: LegalVersion, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]  # Django's ModelForm is not generic at run time
        """A new version gets the next number of its document."""
        if not change:
            obj.number = legal.next_number(obj.document)
        super().save_model(request, obj, form, change)
        markdown_forms.tell(request=request, form=form)

    def get_urls(self) -> list[URLPattern]:
        """Add the page that asks before a text is public."""
        view = require_http_methods(["GET", "HEAD", "POST"])(self.publish_view)
        own = path("<int:pk>/publish/", self.admin_site.admin_view(view), name="subscribers_legalversion_publish")
        return [own, *super().get_urls()]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """The present text of the document in the language, to be changed; without a document, of the first.

        Where there is none in that language, the one that its readers see, to be translated.
        """
        given = super().get_changeform_initial_data(request)
        document = LegalDocument.objects.filter(pk=given["document"]) if "document" in given else LegalDocument.objects
        if "body_markdown" not in given and (chosen := document.first()) is not None:
            with languages.override(given.get("language", "")):
                present = legal.published_version(document=chosen)
            given |= {"document": chosen.pk, "body_markdown": present.body_markdown if present else ""}
        return given

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The form; above it the way to publish a draft, or to a new version of a published text."""
        version = kwargs.get("obj")
        if version is not None and version.published_at is None and request.user.has_perm(permissions.PUBLISH_TEXT):
            place = reverse("admin:subscribers_legalversion_publish", args=[version.pk])
            context["actions_detail"] = [link(_("Publish"), place, variant="primary")]
        elif version is not None and self.has_add_permission(request):
            context["actions_detail"] = [
                link(_("New version"), _place(version, version.language)),
                *(
                    link(
                        _("New version in %(language)s") % {"language": languages.name_of(each)},
                        _place(version, each, translates=version.translation_of_id or version.pk),
                    )
                    for each in Publication.objects.current().languages
                    if each != version.language
                ),
            ]
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def publish_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what changes for readers, and publish on a POST."""
        version = LegalVersion.objects.select_related("document").filter(pk=pk, published_at=None).first()
        if not request.user.has_perm(permissions.PUBLISH_TEXT):
            raise PermissionDenied
        if version is None:
            raise Http404("There is no such draft.")
        back = reverse("admin:subscribers_legalversion_change", args=[pk])
        if request.method == "POST":
            try:
                legal.publish_version(version=version, actor=account(request), now=timezone.now())
            except (legal.AlreadyPublished, legal.TooOld, html.MarkupRefused) as refusal:
                messages.error(request, str(refusal))
            else:
                messages.success(request, _("%(version)s is published.") % {"version": version})
            return HttpResponseRedirect(back)
        present = legal.published_versions(document=version.document, language=version.language)[:1]
        context = {
            "title": _("Publish"), "opts": self.opts, "original": version, "back": back,
            "present": present[0] if present else None,
            "difference": differences.marked(present[0].body_markdown if present else "", version.body_markdown),
        }  # fmt: skip
        page = "admin/subscribers/legalversion/publish.html"
        return render(request, page, {**self.admin_site.each_context(request), **context})


def _place(version: LegalVersion, language: str, *, translates: int | None = None) -> str:
    given = {"document": version.document_id, "language": language}
    query = urlencode(given | ({"translation_of": translates} if translates else {}))
    return f"{reverse('admin:subscribers_legalversion_add')}?{query}"
