"""Context processor: the sign-up form at the foot of every page."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from publication import shared_parts
from subscribers import cadence_options, forms
from subscribers.models import LegalDocument, Newsletter

# On these pages the block would be in the way, or be on a page that somebody's link opens.
WITHOUT_BLOCK = frozenset(
    {"subscribe", "subscribe_sent", "confirm", "preferences", "preferences_link", "preferences_sent", "unsubscribe",
     "subscribe_again", "agree"}
)  # fmt: skip


def signup_block(request: HttpRequest) -> dict[str, Any]:
    """`signup_form`, its first step (None where it is not to be shown), and `signup_newsletters`.

    Asks the database only when a template looks at them, then once. Sets no cookie, does not touch
    the session and has no value of its own page or hour, so that pages can be kept for all.
    """
    newsletters = SimpleLazyObject(lambda: _offered(request))
    form = SimpleLazyObject(lambda: forms.AddressForm(auto_id="signup_%s") if newsletters else None)
    return {"signup_form": form, "signup_newsletters": newsletters}


def legal_documents(request: HttpRequest) -> dict[str, Any]:
    """`legal_documents` for the foot of the page: those with a public text. Asks when a template looks at it."""
    return {"legal_documents": SimpleLazyObject(lambda: shared_parts.of(request).part("legal", _public))}


def _public() -> list[LegalDocument]:
    return list(LegalDocument.objects.filter(versions__published_at__isnull=False).distinct())


def _offered(request: HttpRequest) -> list[Newsletter]:
    match = request.resolver_match
    if match is not None and match.url_name in WITHOUT_BLOCK:
        return []
    return shared_parts.of(request).part("newsletters", _open)


def _open() -> list[Newsletter]:
    return [offer.newsletter for offer in cadence_options.offered()]
