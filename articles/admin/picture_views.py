"""The library of pictures as a screen, and what the page of a story asks of it: search and upload, as JSON."""

from datetime import date
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from articles import images, picture_library
from articles.admin.picture_forms import WordsForm
from articles.models import Image
from articles.picture_library import PAGE
from articles.refusals import NotAllowed, PublishingError
from publication.change_lists import ModelAdmin
from publication.row_actions import account


class Search(forms.Form):
    """What a picture is looked for by."""

    q = forms.CharField(required=False, max_length=200)
    by = forms.IntegerField(required=False, min_value=1)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)
    unused = forms.BooleanField(required=False)
    before = forms.IntegerField(required=False, min_value=1)

    def pictures(self) -> list[Image]:
        """Those that fit; what is no date or number counts as not asked."""
        self.is_valid()
        asked: dict[str, Any] = self.cleaned_data
        since: date | None = asked.get("since")
        return picture_library.search(
            words=asked.get("q") or "",
            uploader=asked.get("by"),
            since=since,
            until=asked.get("until"),
            unused=asked.get("unused") or False,
            before=asked.get("before"),
        )


class PictureViews(ModelAdmin):
    """The screens of the library around the admin's own form."""

    def get_urls(self) -> list[URLPattern]:
        """Before the admin's own, which would read the words as the number of a picture."""
        guard = self.admin_site.admin_view
        return [
            path("search/", guard(self.search_view), name="articles_image_search"),
            path("upload/", guard(require_POST(self.upload_view)), name="articles_image_upload"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The pictures as a grid, the newest first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = Search(request.GET)
        rows = form.pictures()
        asked = form.cleaned_data
        context = self.admin_site.each_context(request) | {
            "title": _("Pictures"),
            "opts": self.opts,
            "pictures": rows[:PAGE],
            "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
            "is_first": not asked.get("before"),
            "is_filtered": any(asked.get(name) for name in ("q", "by", "since", "until", "unused")),
            "asked": request.GET,
            "people": User.objects.filter(is_active=True, is_staff=True).order_by("username")[:200],
            "may_add": self.has_add_permission(request),
        }
        return TemplateResponse(request, "admin/articles/image/library.html", context)

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """A page of pictures as JSON, for the dialog in a story."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Search(request.GET).pictures()
        return _json({"pictures": [as_json(image) for image in rows[:PAGE]], "more": len(rows) > PAGE})

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take one picture in; a refusal says by field what is wrong, and nothing is stored."""
        if not account(request).has_perm(picture_library.ADD):
            raise PermissionDenied
        form = WordsForm(request.POST, request.FILES)
        if not form.is_valid():
            return _json({"errors": {name: str(errors[0]) for name, errors in form.errors.items()}}, status=400)
        try:
            image = picture_library.add(upload=form.cleaned_data["file"], words=form.words(), actor=account(request))
        except NotAllowed as refusal:
            return _json({"errors": {"": str(refusal)}}, status=403)
        except images.PictureRefused as refusal:
            return _json({"errors": {"file": str(refusal)}}, status=400)
        except (PublishingError, ValidationError) as refusal:
            return _json({"errors": {"alt": " ".join(getattr(refusal, "messages", [str(refusal)]))}}, status=400)
        return _json({"picture": as_json(image)}, status=201)


def as_json(image: Image) -> dict[str, Any]:
    """A picture as the dialog shows it."""
    return {
        "id": image.pk,
        "alt": image.alt,
        "caption": image.caption,
        "credit": image.credit,
        "small": image.small_url,
        "focus": image.focus_class,
        "width": image.width,
        "height": image.height,
    }


def _json(content: dict[str, Any], *, status: int = 200) -> HttpResponse:
    response = JsonResponse(content, status=status)
    response.headers["Cache-Control"] = "no-store, private"
    return response
