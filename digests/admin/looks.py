"""The looks of an issue's mail, each alone in a sandboxed frame of the composer."""

from __future__ import annotations

from typing import Final

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from core import database_clock
from digests import archive, proofs, readership, rendering
from digests.models import Frozen, Issue
from digests.variant_keys import WITHOUT
from mailkit import addresses, segments
from publication import mail_frames
from subscribers.models import Subscriber, Subscription

PARTS: Final = ("html", "dark", "text")
FEWEST_LETTERS: Final = 2
MOST_READERS: Final = 8
DARK: Final = "(prefers-color-scheme: dark)"
PAGE: Final = '<!doctype html><meta charset="utf-8"><title>{}</title><pre style="white-space: pre-wrap">{}</pre>'
BAR: Final = '<p style="margin:0;padding:10px 16px;background:#fef3c7;color:#451a03;font:14px sans-serif">{}</p>'


def part(*, issue: Issue, part: str, variant: str) -> HttpResponse:
    """The mail as HTML, the same as a dark mail program shows it, or its text, of a variant. On failure: Http404."""
    if part not in PARTS:
        raise Http404("There is no such part.")
    snapshot = _snapshot(issue, variant)
    if part == "text":
        return mail_frames.framed(format_html(PAGE, snapshot.subject, archive.neutral_text(text=snapshot.text)))
    html = archive.web_html(snapshot=snapshot)
    return mail_frames.framed(html.replace(DARK, "all") if part == "dark" else html)


def readers(*, issue: Issue, words: str) -> list[Subscription]:
    """A few of the issue's readers whose address or name begins with these words; nobody for less than two letters."""
    words = words.strip()
    if len(words) < FEWEST_LETTERS:
        return []
    people = Subscriber.objects.filter(Q(address_key__startswith=words.lower()) | Q(name__istartswith=words))
    # Of many, any will do; to sort them all would take too long.
    rows = issue.subscriptions().filter(subscriber__in=people).select_related("subscriber")[:MOST_READERS]
    return sorted(rows, key=lambda row: row.subscriber.address_key)


def as_reader(*, issue: Issue, words: str) -> HttpResponse:
    """The mail with a line that says how this reader would get it. Personal links lead nowhere.

    `words` are an address, or how the address or the name begins; if several readers fit, it asks for one of them.
    """
    subscription = _subscription(issue, words)
    if subscription is None and len(fitting := readers(issue=issue, words=words)) > 1:
        named = ", ".join(row.subscriber.address for row in fitting)
        return mail_frames.framed(
            format_html(BAR, _("Several readers fit. Type the address of one: %(addresses)s") % {"addresses": named})
        )
    if subscription is None and fitting:
        subscription = fitting[0]
    if subscription is None:
        sentence = _("%(address)s is no reader of %(newsletter)s who would get this issue.")
        values = {"address": words, "newsletter": issue.newsletter}
        return mail_frames.framed(format_html(BAR, sentence % values))
    reader = subscription.subscriber
    is_mailed = issue.readers(now=database_clock.now()).filter(pk=subscription.pk).exists()
    line = _("To %(name)s <%(address)s>, %(cadence)s. %(state)s") % {
        "name": reader.name,
        "address": reader.address,
        "cadence": subscription.get_cadence_display(),
        "state": _("Personal links lead nowhere here.") if is_mailed else _("This reader would not get it now."),
    }
    variant = readership.served(issue=issue, subscription=subscription, now=database_clock.now())
    if variant == WITHOUT:
        none = _("No story of this issue is on the topics that the reader chose, so no copy leaves.")
        return mail_frames.framed(format_html(BAR, f"{line} {none}"))
    html = segments.SLOT.sub("#", _snapshot(issue, variant).html)
    body = html.find(">", html.find("<body")) + 1
    return mail_frames.framed(html[:body] + format_html(BAR, line) + html[body:])


def _subscription(issue: Issue, address: str) -> Subscription | None:
    try:
        key = addresses.normalise(address).key
    except addresses.InvalidAddress:
        return None
    return issue.subscriptions().filter(subscriber__address_key=key).select_related("subscriber").first()


def _snapshot(issue: Issue, variant: str) -> Frozen:
    try:
        return proofs.preview(issue=issue, now=database_clock.now(), variant=variant)
    except rendering.RenderingError as refusal:
        raise Http404(str(refusal)) from refusal
