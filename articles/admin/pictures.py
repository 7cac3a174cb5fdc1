"""Pictures in the admin: upload, list and number."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from articles import images, publishing
from articles.admin.forms import PictureForm
from articles.models import Image
from core import database_clock
from publication.change_lists import ModelAdmin


@admin.register(Image)
class ImageAdmin(ModelAdmin):
    """Every picture with its words; the number is what a story's text calls it by."""

    form = PictureForm
    list_display = ("shown_small", "pk", "alt", "credit", "width", "height", "created_at")
    list_display_links = ("shown_small", "pk", "alt")
    list_filter = ("created_at", "uploaded_by")
    search_fields = ("=id", "alt", "caption", "credit")
    search_help_text = _("The number, or words of the description, the caption or the credit")
    readonly_fields = ("shown_large", "in_text", "width", "height", "uploaded_by", "created_at")
    fields = ("file", "alt", "caption", "credit", *readonly_fields)

    def save_model(self, request: HttpRequest, obj: Image, form: Any, change: bool) -> None:
        """A new file goes through `images.store`; the HTML of stories that show the picture is made again."""
        if "file" in form.changed_data:
            actor = request.user if isinstance(request.user, User) else None
            images.store(image=obj, upload=form.cleaned_data["file"], actor=actor)
        else:
            obj.save(update_fields=["alt", "caption", "credit"])
        if change and (done := publishing.render_again(stories=images.naming(obj), now=database_clock.now())):
            shown = ngettext(
                "%(count)s story shows the picture as it is now.",
                "%(count)s stories show the picture as it is now.",
                done,
            )
            messages.info(request, shown % {"count": done})

    def has_delete_permission(self, request: HttpRequest, obj: Image | None = None) -> bool:
        """Not while a story shows it."""
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not images.in_use(obj).exists())

    @admin.display(description=_("Picture"))
    def shown_small(self, image: Image) -> SafeString:
        """A thumbnail."""
        return format_html('<img src="{}" alt="" width="120">', image.url_for(480))

    @admin.display(description=_("Preview"))
    def shown_large(self, image: Image) -> SafeString:
        """The picture as pages show it."""
        if not image.pk:
            return SafeString("")
        return format_html('<img src="{}" alt="{}" width="480">', image.page_url, image.alt)

    @admin.display(description=_("In a story's text"))
    def in_text(self, image: Image) -> str:
        """The line to put into the text."""
        if not image.pk:
            return str(_("Shown once the picture is saved."))
        return f'![{image.alt}](image:{image.pk} "{image.caption}")'
