"""The publication's stylesheet and its icon."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from publication import colours as palette
from publication.models import Publication


@require_safe
@cache_control(public=True, max_age=86_400)
def colours(_request: HttpRequest) -> HttpResponse:
    """The publication's colours as a stylesheet. Pages name it with the colours in the query, so it may be cached."""
    return HttpResponse(palette.stylesheet(Publication.objects.current()), content_type="text/css")


@require_safe
@cache_control(public=True, max_age=86_400)
def favicon(_request: HttpRequest) -> HttpResponse:
    """Where browsers look for a sign on pages that name none, such as feeds."""
    return HttpResponseRedirect(static("img/icon.svg"))
