"""The public keys by which a signed proof of consent is checked, at addresses that stay."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from core import signed_json
from subscribers import signed_evidence


@require_safe
def keys(_request: HttpRequest) -> HttpResponse:
    """All of them, as a JSON Web Key Set (RFC 7517)."""
    members = [signed_json.jwk(key) for key in signed_evidence.public_keys().values()]
    return _cacheable(JsonResponse({"keys": members}, json_dumps_params={"indent": 2}))


@require_safe
def key(_request: HttpRequest, name: str) -> HttpResponse:
    """One of them, as openssl reads it."""
    chosen = signed_evidence.public_keys().get(name)
    if chosen is None:
        raise Http404("There is no such key.")
    return _cacheable(HttpResponse(signed_json.pem(chosen), content_type="application/x-pem-file"))


def _cacheable(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, public=True, max_age=3600)
    return response
