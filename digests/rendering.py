"""Render an issue: subject, preheader, HTML, text and headers, once for all readers.

`issue_content` reads it, `layout` writes it, `mail_size` measures it. This module decides what it says, and how much
of it: a digest shows its first stories in full, the next ones as headlines, and says how many more there
are; a long story is cut at a paragraph; and no HTML becomes as large as `mail_size.LIMIT`.
"""

from __future__ import annotations

import functools
import re
import textwrap
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from digests import clicks, issue_content, layout, mail_size
from digests.feedback import reply_mail, unsubscribe_mail
from digests.issue_content import IssueContent
from digests.layout import SLOTS
from digests.models import Issue
from mailkit import addresses, message, mjml
from mailkit import html as markup
from publication.models import Publication
from subscribers import links as readers_links

__all__ = [
    "SLOTS",
    "RenderedIssue",
    "RenderingError",
    "check_header",
    "headers",
    "inbox_line",
    "render",
    "sender",
    "write",
]

SUBJECT_LENGTH = 200  # the column of a snapshot
PREHEADER_LENGTH = 150
# Another story is shown in full only if this many headlines still fit.
LEAST_HEADLINES = 10
# With less room than this, in bytes, a story has only the link to its page.
LEAST_BODY = 500
TOO_LARGE = _(
    "This mail would be too large: Gmail hides what comes after 102 KB, and the link to unsubscribe with it. "
    "Shorten the text under “Introduction” by about %(percent)s percent."
)


class RenderingError(Exception):
    """The issue cannot be shown or sent. The message is a sentence for an editor."""


@dataclass(frozen=True, slots=True)
class RenderedIssue:
    """The rendered issue, with slots where copies differ."""

    subject: str
    preheader: str
    html: str
    text: str


def render(*, issue: Issue, now: datetime) -> RenderedIssue:
    """Render the issue as it is now, ignoring any snapshot. On failure: as `write`."""
    return write(content=issue_content.load(issue=issue, now=now))


def write(*, content: IssueContent) -> RenderedIssue:
    """Write an issue from its content; nothing is read.

    After: the HTML of a reader's copy is smaller than `mail_size.LIMIT`. On failure: RenderingError, with a
    sentence that says what is missing or too long.
    """
    draft = _draft(content)
    extent = _extent(draft)
    return RenderedIssue(
        subject=draft.subject,
        preheader=draft.preheader,
        html=_html(draft, extent),
        text=layout.text(draft=draft, extent=extent),
    )


def inbox_line(*, content: IssueContent) -> tuple[str, str]:
    """Subject and preheader of an issue of this content; nothing is laid out.

    On failure: RenderingError, as `write`; but not for a mail that would be too large.
    """
    draft = _draft(content)
    return draft.subject, draft.preheader


def _draft(content: IssueContent) -> layout.Draft:
    if content.kind != Issue.Kind.LETTER and not content.stories:
        raise RenderingError(_("No published story is left in this issue. Add one, or cancel the issue."))
    introduction = _introduction(content)
    if content.kind == Issue.Kind.LETTER and not introduction:
        raise RenderingError(_("This letter has no text yet. Write it under “Introduction”."))
    inlined = functools.partial(layout.inlined, display=content.words["display"])
    return layout.Draft(
        content=content,
        subject=_subject(content),
        preheader=_preheader(content, introduction),
        introduction=inlined(introduction) if introduction else "",
        sponsor=inlined(_markdown(content.sponsor)) if content.sponsor.strip() else "",
        body=inlined(body) if content.kind == Issue.Kind.ARTICLE and (body := content.stories[0].body_html) else "",
    )


def headers(*, issue: Issue, subject: str) -> list[tuple[str, str]]:
    """The header fields of every copy, with slots; RFC 5322, 2369, 2919, 3834 and 8058.

    On failure: RenderingError if a value is not allowed in a header, or there is no sender.
    """
    newsletter, publication = issue.newsletter, Publication.objects.current()
    page = readers_links.newsletter_url(newsletter=newsletter)
    author = sender(issue=issue)
    reply_to = _mailbox(newsletter.reply_to or publication.reply_to)
    # Without an address of their own, answers come to the desk by way of the mailbox for returned mail.
    answers = reply_to or (f"{reply_mail.ADDRESS}@{settings.RETURN_DOMAIN}" if settings.RETURN_DOMAIN else "")
    owner = _mailbox(publication.contact_address) or reply_to or author.addr_spec
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    # With a mailbox for returned mail the address names the subscription. Otherwise a person reads the mail.
    unsubscribe = f"mailto:{quote(reply_to or author.addr_spec, safe='@')}?subject=unsubscribe-%%unsubscribe_token%%"
    if settings.RETURN_DOMAIN:
        unsubscribe = (
            f"mailto:{unsubscribe_mail.PREFIX}%%unsubscribe_code%%@{settings.RETURN_DOMAIN}?subject=unsubscribe"
        )
    fields = [
        ("From", str(author)),
        ("To", "%%to%%"),
        *([("Reply-To", answers)] if answers else []),
        ("Subject", subject),
        ("Date", "%%date%%"),
        ("Message-ID", "%%message_id%%"),
        ("List-Id", f"{_phrase(newsletter.name)} <{newsletter.slug}.newsletters.{host}>"),
        ("List-Unsubscribe", f"<%%unsubscribe_url%%>, <{unsubscribe}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("List-Subscribe", f"<{page}>"),
        ("List-Archive", f"<{page}>"),
        ("List-Help", f"<{page}>"),
        ("List-Owner", f"<mailto:{quote(owner, safe='@')}>"),
        ("Feedback-ID", f"{issue.pk}:{newsletter.slug}:{issue.kind}:{host}"),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Precedence", "bulk"),
    ]
    for name, value in fields:
        check_header(name, value)
    return fields


def check_header(name: str, value: str) -> None:
    """Return if `value` is allowed in a header; otherwise RenderingError names the header."""
    try:
        message.check_header_text(value)
    except message.UnsafeHeaderText as refusal:
        raise RenderingError(f"{name}: {refusal}") from refusal


def sender(*, issue: Issue) -> Address:
    """The sender: the newsletter's, or else the publication's."""
    name = issue.newsletter.sender_name or issue.newsletter.name
    check_header("From", name)
    address = _mailbox(issue.newsletter.sender_address or Publication.objects.current().sender_address)
    if not address:
        raise RenderingError(_("Set the sender's address of the newsletter or of the publication."))
    return Address(display_name=name, addr_spec=address)


def _html(draft: layout.Draft, extent: layout.Extent) -> str:
    try:
        return layout.html(draft=draft, extent=extent)
    except mjml.MjmlError as fault:
        raise RenderingError(str(fault)) from fault


def _excess(draft: layout.Draft, extent: layout.Extent) -> int:
    """How many bytes the mail is too large by, with its counted links."""
    html, counted_as = _html(draft, extent), draft.content.counted_as
    return mail_size.excess(html if counted_as is None else clicks.counted(html, issue_id=counted_as))


def _extent(draft: layout.Draft) -> layout.Extent:
    """How much of the issue fits into its HTML. On failure: RenderingError if nothing fits."""
    extent = _arranged(draft) if layout.is_digest(draft.content) else _with_body(draft)
    excess = _excess(draft, extent)
    if excess > 0:
        percent = min(99, 100 * excess // max(1, mail_size.sent_size(draft.introduction)) + 1)
        raise RenderingError(TOO_LARGE % {"percent": percent})
    return extent


def _arranged(draft: layout.Draft) -> layout.Extent:
    """The number of stories in full, limited by the newsletter's setting, and of headlines."""
    count = len(draft.content.stories)

    def extent(full: int, headlines: int) -> layout.Extent:
        return layout.Extent(full=full, headlines=min(headlines, count - full), body="")

    def fits(full: int, headlines: int) -> bool:
        return _excess(draft, extent(full, headlines)) <= 0

    in_full = min(draft.content.in_full, count)
    if fits(in_full, count):
        return extent(in_full, count)
    least = min(1, in_full)
    full = mail_size.largest(fits=lambda number: fits(number, LEAST_HEADLINES), least=least, limit=in_full)
    return extent(full, mail_size.largest(fits=lambda number: fits(full, number), least=0, limit=count - full))


def _with_body(draft: layout.Draft) -> layout.Extent:
    """A story with its text, or the beginning of it; a letter unchanged."""
    body, full = draft.body, len(draft.content.stories)
    extent = layout.Extent(full=full, headlines=0, body=body)
    if not body or (excess := _excess(draft, extent)) <= 0:
        return extent
    room = mail_size.sent_size(body) - excess
    beginning = mail_size.cut(body, limit=room) if room >= LEAST_BODY else ""
    return layout.Extent(full=full, headlines=0, body=beginning, is_cut=True)


def _introduction(content: IssueContent) -> str:
    return _markdown(content.introduction) if content.introduction.strip() else ""


def _markdown(source: str) -> str:
    try:
        return markup.render(source, profile="letter").html
    except markup.MarkupRefused as refusal:
        raise RenderingError(str(refusal)) from refusal


def _subject(content: IssueContent) -> str:
    subject = content.subject or (content.stories[0].headline if content.stories else "")
    if not subject:
        raise RenderingError(_("This letter has no subject yet. Write one."))
    check_header("Subject", subject)
    return layout.without_slots(subject)[:SUBJECT_LENGTH]


def _preheader(content: IssueContent, introduction: str) -> str:
    """The editor's preheader, or else the next headlines, the story's standfirst, or the beginning of the letter.

    It is not a header, so a line break or a control character in a standfirst is removed instead of refused.
    """
    following = ", ".join(story.headline for story in content.stories[1:])
    begins = content.stories[0].summary if content.stories else markup.to_text(introduction)
    line = " ".join((content.preheader or following or begins).split())
    return textwrap.shorten(message.without_unsafe(line), PREHEADER_LENGTH, placeholder="…")


def _mailbox(raw: str) -> str:
    """One of our addresses with its domain in A-labels, as headers need it; empty stays empty."""
    if not raw:
        return ""
    try:
        return addresses.normalise(raw).address
    except addresses.InvalidAddress as refusal:
        raise RenderingError(
            _("Check the addresses of sender, replies and contact. %(refusal)s") % {"refusal": refusal}
        ) from refusal


def _phrase(name: str) -> str:
    """A name in front of <...>: quoted unless it is plain words (RFC 5322 3.2.5); `mailkit.headers` encodes it."""
    if re.fullmatch(r"[A-Za-z0-9 ]+", name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
