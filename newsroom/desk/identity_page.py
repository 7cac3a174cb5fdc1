"""The preview beside the form of the publication: the reader's front page, made of the form as it is typed."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from articles import views
from newsroom.desk import pages
from publication import context, language_switch, languages, previews, stylesheet
from publication.forms import CleanFile, PublicationForm
from publication.models import Publication

RIGHT: Final = "publication.change_publication"
# What the style sheet is made of.
LOOK: Final = ("ink_colour", "accent_colour", "typeface")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that was chosen and is not stored, in the place of a logo that is."""

    url: str


@previews.frame
@pages.page(RIGHT)
def frame(_request: HttpRequest) -> HttpResponse:
    """What the frame is at first."""
    return HttpResponse(previews.EMPTY)


@previews.page
@pages.page(RIGHT, "POST")
def preview(request: HttpRequest) -> HttpResponse:
    """The front page of the form as it is posted; nothing is saved. A field that is not valid is as it is stored."""
    row = typed(request.POST, request.FILES)
    context.show_as(request, row)
    with languages.override(row.language, publication=row):
        language_switch.only_in(request, language_switch.at_path("/", publication=row))
        look = {name: getattr(row, name) for name in LOOK}
        page = views.front_page(request, path="/", sheet=f"{reverse('desk:identity_sheet')}?{urlencode(look)}")
    return previews.unindexed(page)


@pages.page(RIGHT)
def sheet(request: HttpRequest) -> HttpResponse:
    """The style sheet of a look that is not saved: public pages have the one that is."""
    look = stylesheet.current(typed(request.GET))
    # A reader does without a face that comes late; who chooses one waits for it.
    rules = look.text.replace("font-display: optional", "font-display: swap")
    return previews.unindexed(HttpResponse(rules, content_type="text/css; charset=utf-8"))


def typed(data: QueryDict, files: MultiValueDict[str, UploadedFile[Any]] | None = None) -> Publication:
    """The publication of these form fields. Never save it."""
    form = PublicationForm(data, files, instance=Publication.objects.stored())
    form.is_valid()
    row: Publication = form.instance
    chosen = form.cleaned_data.get("logo")
    if isinstance(chosen, CleanFile):
        # Where the model keeps what its field gives: a file without a place to be shown from.
        row.__dict__["logo"] = Shown(_as_address(chosen))
    return row


def _as_address(file: CleanFile) -> str:
    content = base64.b64encode(file.picture.bytes).decode()
    return f"data:image/{file.picture.extension.replace('jpg', 'jpeg')};base64,{content}"
