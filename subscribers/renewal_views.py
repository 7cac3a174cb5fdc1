"""The page behind the link of a letter that asks to agree to newer legal texts. GET shows them; only POST agrees."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from mailkit import addresses
from publication import languages
from subscribers import links, renewal, request_context, terms


@request_context.opened_by_link
@require_http_methods(["GET", "HEAD", "POST"])
def agree(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is new and ask for the press of one button."""
    with languages.override(links.read_agree(token).language):
        question, fault, now = renewal.look(token=token), "", timezone.now()
        if request.method == "POST" and question.subscriptions:
            evidence = request_context.evidence(
                request, source=renewal.SOURCE, versions=question.terms.versions, form_text=question.terms.text
            )
            try:
                agreed = renewal.agree(
                    token=token, terms_token=request.POST.get("terms", ""), evidence=evidence, now=now
                )
            except terms.FormRefused as refusal:
                fault = str(refusal)
            else:
                return render(request, "subscribers/agreed.html", {"question": agreed})
        if not question.subscriptions:
            return render(request, "subscribers/agreed.html", {"question": question})
        shown = {
            "question": question,
            "fault": fault,
            "masked": addresses.mask(question.subscriber.address),
            "terms_token": terms.seal(terms=question.terms, page="", now=now),
        }
        return render(request, "subscribers/agree.html", shown, status=422 if fault else 200)
