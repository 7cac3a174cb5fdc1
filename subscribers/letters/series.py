"""Writes a letter of a welcome series: the editors' Markdown in the frame of all letters, in its reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

import css_inline
from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from mailkit import html, message
from publication.models import Publication
from subscribers import links
from subscribers.letter_reasons import LetterReason
from subscribers.models import Letter, Newsletter, Subscription, WelcomeLetter

# In place of the text while the frame is compiled: MJML allows no HTML that was not written for it.
PLACE: Final = "TEXT-OF-THE-LETTER"
STYLES: Final = """
p, ul, ol, blockquote, pre { margin: 0 0 16px }
h1, h2, h3 { margin: 24px 0 8px; line-height: 1.3 }
h2 { font-size: 22px } h3 { font-size: 19px }
img { max-width: 100%; height: auto }
blockquote { padding-left: 16px; border-left: 3px solid #dcd7d0 }
"""


def refusal(*, letter: Letter, now: datetime) -> LetterReason | None:
    """Why the letter must not leave now, if so: its series was turned off, or its reader may not be mailed."""
    if letter.welcome is None or not letter.welcome.is_on:
        return LetterReason.TURNED_OFF
    mailable = Subscription.objects.all().mailable(now=now)
    if not mailable.filter(subscriber=letter.subscriber_id, newsletter=letter.welcome.newsletter_id).exists():
        return LetterReason.NOT_WANTED
    return None


def must_wait(*, letter: Letter) -> bool:
    """Whether an earlier letter of the series is still on its way to this reader."""
    welcome = letter.welcome
    if welcome is None:
        return False
    earlier = Letter.objects.filter(
        subscriber=letter.subscriber_id, welcome__newsletter=welcome.newsletter_id, welcome__day__lt=welcome.day
    )
    return earlier.filter(state__in=[Letter.State.PENDING, Letter.State.ATTEMPTING]).exists()


def facts(*, welcome: WelcomeLetter) -> dict[str, Any]:
    """What its templates need beside the frame."""
    text = html.render(welcome.local.body_markdown, profile="letter").html
    return {"subject": welcome.local.subject, "place": PLACE, "text": html.to_text(text), "html": text}


def filled(mail: EmailMultiAlternatives, *, context: Mapping[str, Any]) -> EmailMultiAlternatives:
    """The compiled mail with its text in place."""
    styled = css_inline.inline_fragment(context["html"], STYLES) if context["html"] else ""
    content, kind = mail.alternatives.pop()
    mail.attach_alternative(str(content).replace(PLACE, styled), str(kind))
    return mail


def sender(*, newsletter: Newsletter, publication: Publication) -> message.Sender:
    """As of the newsletter's issues."""
    own = publication.sender()
    return message.Sender(
        name=newsletter.sender_name or newsletter.name,
        address=newsletter.sender_address or own.address,
        reply_to=newsletter.reply_to or own.reply_to,
    )


def headers(*, subscription: Subscription, author: message.Sender) -> dict[str, str]:
    """As of the newsletter's issues: what list it is, and the way out with one click (RFC 2369, 2919, 8058)."""
    newsletter = subscription.newsletter
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    token = links.unsubscribe_token(subscription=subscription)
    by_mail = f"mailto:{quote(author.reply_to or author.address, safe='@')}?subject=unsubscribe-{token}"
    return {
        "List-Id": f"<{newsletter.slug}.newsletters.{host}>",
        "List-Unsubscribe": f"<{links.unsubscribe_url(subscription=subscription)}>, <{by_mail}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Help": f"<{links.newsletter_url(newsletter=newsletter)}>",
        "Precedence": "bulk",
    }
