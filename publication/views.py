"""The publication's style sheet."""

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from publication import stylesheet
from publication.media import IMMUTABLE
from publication.models import Publication


@require_safe
def sheet(request: HttpRequest, digest: str) -> HttpResponse:
    """The style sheet of all pages. Under its own name it never changes; under another it is to be asked for again."""
    current = stylesheet.current(Publication.objects.current())
    accepted = request.headers.get("Accept-Encoding", "")
    coding = next((coding for coding in current.packed if coding in accepted), "")
    content = current.packed[coding] if coding else current.text
    response = HttpResponse(content, content_type="text/css; charset=utf-8")
    if coding:
        response["Content-Encoding"] = coding
    patch_vary_headers(response, ["Accept-Encoding"])
    response["Cache-Control"] = IMMUTABLE if digest == current.digest else "no-cache"
    return response
