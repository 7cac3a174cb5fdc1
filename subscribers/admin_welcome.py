"""The welcome letters of a newsletter in the admin: written, looked at as a mail, and sent to oneself."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _

from mailkit import html
from publication import languages, mail_frames, markdown_forms
from publication.markdown_widget import MarkdownTextarea
from publication.row_actions import account
from publication.translated_admin import TranslatedAdmin
from subscribers import permissions, welcome, welcome_proofs
from subscribers.letters import render as letters
from subscribers.models import WelcomeLetter

# Nothing is sent to it.
SOMEBODY: Final = "reader@example.org"


class WelcomeText(forms.ModelForm):  # type: ignore[type-arg]  # Django's ModelForm is not generic at run time
    """The words of a letter, and when it comes."""

    class Meta:
        model = WelcomeLetter
        fields = ["newsletter", "day", "hour", "is_on", "subject", "body_markdown"]
        widgets = {"body_markdown": MarkdownTextarea(attrs={"rows": 18})}

    def clean_body_markdown(self) -> str:
        """A text that can be shown."""
        return markdown_forms.check(
            form=self, field="body_markdown", render=lambda text: html.render(text, profile="letter")
        )


@admin.register(WelcomeLetter)
class WelcomeLetterAdmin(TranslatedAdmin):
    """Who may change a newsletter writes its welcome letters."""

    form = WelcomeText
    list_display = ("subject", "newsletter", "day", "hour", "is_on")
    list_filter = ("newsletter", "is_on")
    list_select_related = ("newsletter",)
    search_fields = ("subject",)
    change_form_template = "admin/subscribers/welcomeletter/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[WelcomeLetter]:
        """Those of this person's newsletters."""
        return permissions.of_newsletters(super().get_queryset(request), user=account(request), field="newsletter")

    def has_view_permission(self, request: HttpRequest, obj: WelcomeLetter | None = None) -> bool:
        """As the newsletter's own settings."""
        return request.user.has_perm(permissions.CHANGE_NEWSLETTER)

    has_add_permission = has_change_permission = has_module_permission = has_view_permission

    def has_delete_permission(self, request: HttpRequest, obj: WelcomeLetter | None = None) -> bool:
        """One that somebody got stays, so that nobody gets it twice; turn it off instead."""
        return self.has_view_permission(request) and obj is not None and not obj.letter_set.exists()

    def get_readonly_fields(self, request: HttpRequest, obj: WelcomeLetter | None = None) -> tuple[str, ...]:
        """A letter stays with its newsletter."""
        return ("newsletter",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Of the newsletter from whose page one came."""
        return {"newsletter": request.GET.get("newsletter")}

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """One of this person's newsletters."""
        everything = db_field.remote_field.model.objects.all()
        kwargs["queryset"] = permissions.of_newsletters(everything, user=account(request), field="pk")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: WelcomeLetter, form: forms.ModelForm, change: bool) -> None:  # type: ignore[type-arg]  # as above
        """By the verb, which is audited."""
        welcome.save(letter=obj, actor=account(request), now=timezone.now())
        markdown_forms.tell(request=request, form=form)

    def get_urls(self) -> list[URLPattern]:
        """The mail, its frame, and the proof."""
        views = (
            ("<int:pk>/mail/", self.mail_view, "mail"),
            ("<int:pk>/mail/html/", self.frame_view, "frame"),
            ("<int:pk>/proof/", self.proof_view, "proof"),
        )
        own = [
            path(route, self.admin_site.admin_view(view), name=f"subscribers_welcomeletter_{name}")
            for route, view, name in views
        ]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    def mail_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The letter as its readers get it, in each language."""
        letter, language = self._asked(request, pk)
        try:
            mail, refusal = letters.sample(welcome=letter, language=language, to=SOMEBODY), ""
        except letters.CannotBeShown as fault:
            mail, refusal = None, str(fault)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Preview"),
            "letter": letter,
            "mail": mail,
            "refusal": refusal,
            "language": language,
            "languages": [(each, languages.name_of(each)) for each in _spoken(letter)],
            "opts": self.opts,
        }
        return render(request, "admin/subscribers/welcomeletter/mail.html", context)

    def frame_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML of the mail alone, for the frame."""
        letter, language = self._asked(request, pk)
        try:
            mail = letters.sample(welcome=letter, language=language, to=SOMEBODY)
        except letters.CannotBeShown as fault:
            return mail_frames.framed(escape(str(fault)))
        return mail_frames.framed(str(mail.alternatives[0][0]))

    def proof_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Send it to oneself, as a POST only."""
        letter, language = self._asked(request, pk)
        if request.method == "POST":
            self._send(request, letter, language)
        page = reverse("admin:subscribers_welcomeletter_mail", args=[pk])
        return HttpResponseRedirect(f"{page}?language={language}")

    def _send(self, request: HttpRequest, letter: WelcomeLetter, language: str) -> None:
        user = account(request)
        try:
            welcome_proofs.send(letter=letter, to=user.email, language=language, actor=user, now=timezone.now())
        except welcome_proofs.NotSent as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("The letter is on its way to %(address)s.") % {"address": user.email})

    def _asked(self, request: HttpRequest, pk: int) -> tuple[WelcomeLetter, str]:
        letter = get_object_or_404(self.get_queryset(request).select_related("newsletter"), pk=pk)
        if not self.has_view_permission(request, letter):
            raise PermissionDenied
        spoken = _spoken(letter)
        wanted = request.GET.get("language", "")
        return letter, wanted if wanted in spoken else spoken[0]


def _spoken(letter: WelcomeLetter) -> list[str]:
    """The languages in which its readers get it."""
    own = letter.newsletter.language or languages.first()
    return [own] if letter.newsletter.language else [own, *languages.further()]
