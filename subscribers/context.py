"""Context processor: the sign-up form at the foot of every page."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from subscribers import forms
from subscribers.models import LegalDocument

# On these pages the block would be in the way, or be on a page that somebody's link opens.
WITHOUT_BLOCK = frozenset(
    {"subscribe", "subscribe_sent", "confirm", "preferences", "preferences_link", "preferences_sent", "unsubscribe",
     "subscribe_again"}
)  # fmt: skip


def signup_block(request: HttpRequest) -> dict[str, Any]:
    """`signup_form` (None where it is not to be shown) and `signup_newsletters`.

    Asks the database only when a template looks at them, then twice. Sets no
    cookie and does not touch the session, so that pages can be cached for all.
    """
    form = SimpleLazyObject(lambda: _form(request))
    return {
        "signup_form": form,
        "signup_newsletters": SimpleLazyObject(lambda: [offer.newsletter for offer in form.offered] if form else []),
    }


def legal_documents(_request: HttpRequest) -> dict[str, QuerySet[LegalDocument]]:
    """`legal_documents` for the foot of the page: those with a public text. Asks when a template looks at it."""
    return {"legal_documents": LegalDocument.objects.filter(versions__published_at__isnull=False).distinct()}


def _form(request: HttpRequest) -> forms.SignupForm | None:
    match = request.resolver_match
    if match is not None and match.url_name in WITHOUT_BLOCK:
        return None
    form = forms.SignupForm(now=timezone.now(), page=request.path)
    return form if form.offered else None
