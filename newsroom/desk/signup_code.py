"""A newsletter's sign-up on the pages of other sites: the code to copy, and how it looks there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from newsroom.desk import pages
from publication import context, languages, oembed, previews
from publication.models import Publication
from publication.row_actions import account
from subscribers import forms, permissions
from subscribers.models import Newsletter

RIGHT = "subscribers.view_newsletter"
CARD_HEIGHT = 320
STYLE = re.compile(r' style="[^"]*"')


@dataclass(frozen=True, slots=True)
class Code:
    """One way to offer the newsletter elsewhere: what it is, and the HTML of it."""

    kind: str
    title: str
    note: str
    html: str


def codes(newsletter: Newsletter, *, publication: Publication) -> list[Code]:
    """The form, the card and a link, in the language of the newsletter."""
    with languages.override(newsletter.language, publication=publication):
        address = settings.SITE_URL + reverse("newsletter", args=[newsletter.slug])
        facts = {
            "newsletter": newsletter,
            "address": address,
            "action": settings.SITE_URL + reverse("subscribe"),
            "label": forms.AddressForm.base_fields["address"].label,
        }
        form = render_to_string("admin/desk/newsletters/_form_code.html", facts).strip()
        link = render_to_string("admin/desk/newsletters/_link_code.html", facts).strip()
        card = oembed.framed(
            title=newsletter.local.name, frame=reverse("newsletter_embed", args=[newsletter.slug]), height=CARD_HEIGHT
        )
    return [
        Code("form", _("A form"), _("It looks as the page around it. The next step, with the terms, is here."), form),
        Code("card", _("A card"), _("It looks as this publication, in a frame, and leads here."), str(card)),
        Code("link", _("A link"), _("For a mail, or where no form and no frame is allowed."), link),
    ]


@previews.frame
@pages.page(RIGHT)
def elsewhere(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """A page that could be anybody's, with that code in it. Nothing on it can be sent."""
    mine = permissions.of_newsletters(Newsletter.objects.all(), user=account(request), field="pk")
    newsletter = get_object_or_404(mine, pk=pk)
    code = next((each for each in codes(newsletter, publication=context.of(request)) if each.kind == kind), None)
    if code is None:
        raise Http404("There is no such way to offer it.")
    # The card comes from here, whatever this site is called on other sites; the policy of the desk refuses its style.
    html = STYLE.sub("", code.html.replace(f'src="{settings.SITE_URL}/', 'src="/'))
    return previews.unindexed(render(request, "admin/desk/newsletters/elsewhere.html", {"code": code, "html": html}))
