"""Pictures in the admin: the library, and the page of one picture."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from articles import picture_library
from articles.admin.picture_forms import PictureForm
from articles.admin.picture_views import PictureViews
from articles.models import Image
from core import database_clock
from publication.row_actions import account
from staff import names

FOCUS_LABEL = _("Focal point: {x} % from the left, {y} % from the top. The arrow keys move it.")

REPLACING = _(
    "Stories show the new file as soon as you save. Mails that were sent keep the old one, and the picture its number."
)


@admin.register(Image)
class ImageAdmin(PictureViews):
    """Every picture with its words; the number is what a story's text calls it by."""

    form = PictureForm
    # For the field of the lead picture, which is searched while one types.
    search_fields = ("=id", "alt", "caption", "credit")
    readonly_fields = ("shown_large", "in_text", "where", "facts")
    fieldsets = (
        (None, {"fields": ("shown_large", "alt", "caption", "credit", "x", "y")}),
        (_("Where it is"), {"fields": ("in_text", "where")}),
        (_("Another file in its place"), {"fields": ("file", "facts"), "description": REPLACING}),
    )
    add_fieldsets = ((None, {"fields": ("file", "alt", "caption", "credit", "x", "y")}),)

    class Media:
        css = {"all": ["articles/pictures.css"]}
        js = ["articles/focus.js"]

    def get_fieldsets(self, request: HttpRequest, obj: Image | None = None) -> Any:
        """A new picture begins with its file."""
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> Any:
        """In the words of the menu."""
        return super().add_view(request, form_url, {"title": _("Add a picture")} | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: Image, form: Any, change: bool) -> None:
        """Through the verbs; the HTML of stories that show the picture is made again."""
        actor, now, words = account(request), database_clock.now(), form.words()
        upload = form.cleaned_data["file"] if "file" in form.changed_data else None
        if not change:
            obj.pk = picture_library.add(upload=form.cleaned_data["file"], words=words, actor=actor).pk
            obj.refresh_from_db()
            return
        rendered = 0
        if upload is not None:
            rendered = picture_library.replace(image=obj, upload=upload, actor=actor, now=now)
        rendered = max(rendered, picture_library.describe(image=obj, words=words, actor=actor, now=now))
        if rendered:
            shown = ngettext(
                "%(count)s story shows the picture as it is now.",
                "%(count)s stories show the picture as it is now.",
                rendered,
            )
            messages.info(request, shown % {"count": rendered})

    def delete_model(self, request: HttpRequest, obj: Image) -> None:
        """Through the verb, which looks once more."""
        picture_library.delete(image=obj, actor=account(request))

    def has_delete_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        """Not while a story shows it, nor when a mail that was sent does."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not picture_library.is_used(obj))

    @admin.display(description=_("Picture"))
    def shown_large(self, image: Image) -> SafeString:
        """The picture as pages show it, on which the focal point is set."""
        if not image.pk:
            return SafeString("")
        return format_html(
            '<span class="focus-field" data-focus-x="id_x" data-focus-y="id_y" data-label="{}">'
            '<img src="{}" alt="{}"></span><br><small>{}</small>',
            FOCUS_LABEL,
            image.page_url,
            image.alt,
            _("Press the point that must always be seen, or move the ring with the arrow keys."),
        )

    @admin.display(description=_("In a story's text"))
    def in_text(self, image: Image) -> SafeString | str:
        """The line to put into the text."""
        if not image.pk:
            return str(_("Shown once the picture is saved."))
        return format_html("<code>![{}](image:{})</code>", image.alt, image.pk)

    @admin.display(description=_("This file"))
    def facts(self, image: Image) -> str:
        """Size, day and person in one line."""
        who = names.of(image.uploaded_by)
        day = formats.date_format(image.created_at, "DATE_FORMAT")
        return " · ".join(filter(None, [f"{image.width} \N{MULTIPLICATION SIGN} {image.height}", day, who]))

    @admin.display(description=_("Stories and issues"))
    def where(self, image: Image) -> SafeString:
        """Each place with a link to its page."""
        places = picture_library.places(image) if image.pk else []
        return render_to_string("admin/articles/image/places.html", {"places": places})
