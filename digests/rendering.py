"""What an issue looks like: subject, preheader, HTML, text and headers, once for all readers.

What differs between readers is a slot, written `%%name%%`; SLOTS lists them all. Whatever an editor
typed is kept out of the templates' reach: it enters the HTML after MJML was compiled, escaped, and
what looks like a slot in it is disarmed.
"""

from __future__ import annotations

import re
import secrets
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import css_inline
from django.conf import settings
from django.template import loader
from django.utils import dateformat
from django.utils.html import escape

from articles import captions, elsewhere
from articles.models import Article, Image
from digests import links
from digests.models import Issue, IssueItem
from mailkit import addresses, message, mjml
from mailkit import html as markup
from publication import urls
from publication.models import Publication
from subscribers import links as readers_links

# Slot -> what `digests.sending.merge` puts there for one reader.
SLOTS: Mapping[str, str] = {
    "to": "the reader's address",
    "date": "when this copy is handed over, as RFC 5322 writes it",
    "message_id": "the delivery's Message-ID with its angle brackets",
    "unsubscribe_url": "one-click address that ends this subscription",
    "unsubscribe_token": "the token alone, for the subject of a mail that asks to be removed",
    "preferences_url": "the reader's preference page",
}
LOOKS_LIKE_SLOT = re.compile(r"%(?=%(?:" + "|".join(SLOTS) + r")%%)")
WORD_JOINER = "\u2060"  # invisible, and no control character: it may stand in a header

WIDTH = 76
RULE = "-" * WIDTH
COLUMN = 576  # pixels: the sheet's 640 without its padding, as base.mjml has them
SUBJECT_LENGTH = 200  # what a snapshot keeps
PREHEADER_LENGTH = 150
# Inboxes fill their preview line with whatever follows; this keeps the masthead out of it.
PADDING = "&#847;&zwnj;&nbsp;&#8199;&#65279;" * 40

PROSE = """
p { margin: 0 0 16px; } ul, ol { margin: 0 0 16px; padding-left: 24px; } li { margin: 0 0 6px; }
h1, h2, h3, h4 { font-family: Georgia, 'Times New Roman', serif; line-height: 1.25; margin: 28px 0 10px; }
h1 { font-size: 24px; } h2 { font-size: 21px; } h3, h4 { font-size: 18px; }
blockquote { margin: 0 0 16px; padding: 2px 0 2px 16px; border-left: 3px solid #ded8ce; font-style: italic; }
img { max-width: 100%; height: auto; border: 0; } figure { margin: 0 0 16px; }
figcaption { font-size: 13px; color: #6b645b; } hr { border: 0; border-top: 1px solid #ded8ce; margin: 24px 0; }
pre { background: #f4f1ec; color: #1c1917; padding: 12px; white-space: pre-wrap; font-size: 14px; }
table { border-collapse: collapse; margin: 0 0 16px; } th, td { border: 1px solid #ded8ce; padding: 6px 10px; }
"""


class RenderingError(Exception):
    """The issue cannot be shown or sent as it is; the message is a sentence for an editor."""


@dataclass(frozen=True, slots=True)
class RenderedIssue:
    """What every reader gets, with slots where copies differ."""

    subject: str
    preheader: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A story's picture as it stands in a mail: whole addresses of its renditions."""

    src: str
    width: int
    thumbnail: str
    alt: str
    note: str


@dataclass(frozen=True, slots=True)
class Story:
    """A story as this issue tells it, all of it as it was typed: nothing is escaped yet."""

    headline: str
    summary: str
    url: str
    section: str
    byline: str
    picture: Picture | None
    body_html: str


@dataclass(slots=True)
class Vault:
    """Keeps content away from the MJML compiler: it sees a token, the content takes its place afterwards."""

    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    kept: list[str] = field(default_factory=list)

    def text(self, value: str) -> str:
        """A token for plain text, which will be escaped; empty for empty text, so templates can ask."""
        return self.html(escape(value)) if value else ""

    def html(self, value: str) -> str:
        """A token for sanitised HTML. No `%%` of it survives, so no slot can be in it."""
        self.kept.append(value.replace("%%", "&#37;&#37;"))
        return f"kept{self.nonce}n{len(self.kept) - 1}z"

    def open(self, document: str) -> str:
        """The document with every token replaced by what it stands for."""
        return re.sub(rf"kept{self.nonce}n(\d+)z", lambda token: self.kept[int(token[1])], document)


def render(*, issue: Issue, now: datetime) -> RenderedIssue:
    """Write the issue as it stands now. The snapshot of a frozen issue is not looked at.

    On failure: RenderingError, with a sentence that says what is missing.
    """
    house = Publication.objects.current()
    stories = [_story(item) for item in items(issue=issue)]
    if issue.kind != Issue.Kind.LETTER and not stories:
        raise RenderingError("No published story is left in this issue. Add one, or cancel the issue.")
    introduction = _introduction(issue)
    if issue.kind == Issue.Kind.LETTER and not introduction:
        raise RenderingError("This letter has no text yet. Write it under “Introduction”.")
    subject = _subject(issue, stories)
    preheader = _preheader(issue, stories, introduction)
    words = _words(issue, house, now) | {"subject": subject, "preheader": preheader}
    return RenderedIssue(
        subject=subject,
        preheader=preheader,
        html=_html(issue, words, stories, introduction),
        text=_text(issue, words, stories, introduction),
    )


def headers(*, issue: Issue, subject: str) -> list[tuple[str, str]]:
    """The header fields of every copy, with slots; RFC 5322, 2369, 2919, 3834 and 8058.

    On failure: RenderingError when a value cannot stand in a header or there is no sender.
    """
    newsletter, house = issue.newsletter, Publication.objects.current()
    page = readers_links.newsletter_url(newsletter=newsletter)
    author = sender(issue=issue)
    answers = _mailbox(newsletter.reply_to or house.reply_to)
    owner = _mailbox(house.contact_address) or answers or author.addr_spec
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    # Where returned mail is read, so is this; otherwise a person reads it.
    reader = f"unsubscribe@{settings.RETURN_DOMAIN}" if settings.RETURN_DOMAIN else answers or author.addr_spec
    leave = f"mailto:{quote(reader, safe='@')}?subject=unsubscribe-%%unsubscribe_token%%"
    found = [
        ("From", str(author)),
        ("To", "%%to%%"),
        *([("Reply-To", answers)] if answers else []),
        ("Subject", subject),
        ("Date", "%%date%%"),
        ("Message-ID", "%%message_id%%"),
        ("List-Id", f"{_phrase(newsletter.name)} <{newsletter.slug}.newsletters.{host}>"),
        ("List-Unsubscribe", f"<%%unsubscribe_url%%>, <{leave}>"),
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
    for name, value in found:
        check_header(name, value)
    return found


def check_header(name: str, value: str) -> None:
    """Return when `value` may stand in a header; otherwise RenderingError names the header."""
    try:
        message.check_header_text(value)
    except message.UnsafeHeaderText as refusal:
        raise RenderingError(f"{name}: {refusal}") from refusal


def sender(*, issue: Issue) -> Address:
    """Who the issue comes from: the newsletter's sender, else the publication's."""
    name = issue.newsletter.sender_name or issue.newsletter.name
    check_header("From", name)
    address = _mailbox(issue.newsletter.sender_address or Publication.objects.current().sender_address)
    if not address:
        raise RenderingError("Set the sender's address of the newsletter or of the publication.")
    return Address(display_name=name, addr_spec=address)


def items(*, issue: Issue) -> list[IssueItem]:
    """The places whose stories readers will see: included, and still public."""
    public = Article.objects.all().published()
    places = issue.items.filter(included=True, article__in=public)
    return list(
        places.select_related("article__section", "article__lead_image").prefetch_related("article__bylines__author")
    )


def _story(item: IssueItem) -> Story:
    article = item.article
    return Story(
        headline=item.headline or article.headline,
        summary=item.summary or article.summary,
        url=links.article_url(article=article),
        section=article.section.name,
        byline=article.byline,
        picture=_picture(article.lead_image) if article.lead_image else None,
        body_html=elsewhere.in_mail(article, width=COLUMN),
    )


def _picture(image: Image) -> Picture:
    note = captions.note(caption=image.caption, credit=image.credit)
    return Picture(
        src=_whole(image.url_for(1200)),
        width=min(COLUMN, image.width or COLUMN),
        thumbnail=_whole(image.url_for(480)),
        alt=image.alt,
        note=note,
    )


def _whole(url: str) -> str:
    """Media may be served by us (a path) or by a bucket (a whole address)."""
    return urls.absolute(url) if url.startswith("/") else url


def _introduction(issue: Issue) -> str:
    if not issue.introduction.strip():
        return ""
    try:
        return markup.render(issue.introduction, profile="letter").html
    except markup.MarkupRefused as refusal:
        raise RenderingError(str(refusal)) from refusal


def _subject(issue: Issue, stories: list[Story]) -> str:
    subject = issue.subject or (stories[0].headline if stories else "")
    if not subject:
        raise RenderingError("This letter has no subject yet. Write one.")
    check_header("Subject", subject)
    return _disarmed(subject)[:SUBJECT_LENGTH]


def _preheader(issue: Issue, stories: list[Story], introduction: str) -> str:
    """The editor's line; else the next headlines, the story's standfirst, or how the letter begins.

    It stands in no header, so a line break or a stray control in a standfirst is no reason to send nothing.
    """
    following = ", ".join(story.headline for story in stories[1:])
    begins = stories[0].summary if stories else markup.to_text(introduction)
    line = " ".join((issue.preheader or following or begins).split())
    return textwrap.shorten(message.without_unsafe(line), PREHEADER_LENGTH, placeholder="…")


def _words(issue: Issue, house: Publication, now: datetime) -> dict[str, str]:
    """What masthead and footer say, as plain text."""
    local = (issue.scheduled_for or issue.window_end or now).astimezone(ZoneInfo(issue.newsletter.time_zone))
    return {
        "language": house.language,
        "accent": house.accent_colour,
        "ink": house.ink_colour,
        "newsletter": issue.newsletter.name,
        "newsletter_url": readers_links.newsletter_url(newsletter=issue.newsletter),
        "publication": house.name,
        "strapline": house.strapline,
        "owner": house.owner,
        "postal_address": house.postal_address,
        "logo": _whole(house.logo.url) if house.logo else "",
        "logo_width": str(house.mail_logo_width),
        "date": dateformat.format(local, "j F Y"),
        "web_url": links.web_url(issue=issue),
    }


def _html(issue: Issue, words: dict[str, str], stories: list[Story], introduction: str) -> str:
    vault = Vault()
    context: dict[str, Any] = {name: vault.text(value) for name, value in words.items()}
    # Colours are validated and stand in the style sheet, where nothing may be escaped; MJML calculates with the width.
    context |= {name: words[name] for name in ("accent", "ink", "logo_width")}
    context["preheader"] = vault.html(escape(words["preheader"]) + PADDING)
    context["postal_address"] = vault.html(escape(words["postal_address"]).replace("\n", "<br />"))
    context["introduction"] = vault.html(_inlined(introduction)) if introduction else ""
    told = [_held(story, vault, whole=issue.kind == Issue.Kind.ARTICLE) for story in stories]
    context |= {"lead": told[0] if told else None, "stories": told[1:]}
    try:
        return vault.open(mjml.compile(loader.render_to_string(f"digests/mail/{issue.kind}.mjml", context)))
    except mjml.MjmlError as fault:
        raise RenderingError(str(fault)) from fault


def _held(story: Story, vault: Vault, *, whole: bool) -> dict[str, Any]:
    held: dict[str, Any] = {
        name: vault.text(getattr(story, name)) for name in ("headline", "summary", "url", "section", "byline")
    }
    held["body"] = vault.html(_inlined(story.body_html)) if whole else ""
    picture = story.picture
    held["picture"] = picture and {
        "width": picture.width,
        **{name: vault.text(getattr(picture, name)) for name in ("src", "thumbnail", "alt", "note")},
    }
    return held


def _inlined(fragment: str) -> str:
    """Sanitised HTML with our styles on its elements: some mail programs read no style sheet."""
    inlined: str = css_inline.inline_fragment(fragment, PROSE)
    return inlined


def _text(issue: Issue, words: dict[str, str], stories: list[Story], introduction: str) -> str:
    told = [_told(story, whole=issue.kind == Issue.Kind.ARTICLE) for story in stories]
    context: dict[str, Any] = {
        **{name: _disarmed(value) for name, value in words.items()},
        "masthead_line": _wrapped(" · ".join(dict.fromkeys([words["publication"], words["date"]]))),
        "introduction": _disarmed(markup.to_text(introduction, width=WIDTH)) if introduction else "",
        "lead": told[0] if told else None,
        "stories": told[1:],
        "rule": RULE,
        "because": _wrapped(f"You receive this because you subscribed to {words['newsletter']}."),
        "imprint": _imprint(words),
    }
    written = loader.render_to_string(f"digests/mail/{issue.kind}.txt", context)
    return re.sub(r"\n{3,}", "\n\n", written).strip() + "\n"


def _told(story: Story, *, whole: bool) -> dict[str, str]:
    colophon = " · ".join(filter(None, [story.section, f"By {story.byline}" if story.byline else ""]))
    return {
        "headline": _wrapped(story.headline),
        "summary": _wrapped(story.summary),
        "colophon": _wrapped(colophon),
        "url": story.url,
        "body": _disarmed(markup.to_text(story.body_html, width=WIDTH)) if whole else "",
    }


def _imprint(words: dict[str, str]) -> str:
    published = f"{words['publication']} is published by {words['owner']}." if words["owner"] else words["publication"]
    return _lines([published, *words["postal_address"].splitlines()])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(_wrapped(line) for line in lines if line.strip())


def _wrapped(value: str) -> str:
    """Plain text in lines of at most 76 characters; an address on the web is never broken."""
    return textwrap.fill(_disarmed(value), WIDTH, break_long_words=False, break_on_hyphens=False)


def _disarmed(value: str) -> str:
    """Text in which nothing is a slot any more; a reader sees no difference."""
    return LOOKS_LIKE_SLOT.sub("%" + WORD_JOINER, value)


def _mailbox(raw: str) -> str:
    """An address of ours with its domain in A-labels, as a header needs it; empty stays empty."""
    if not raw:
        return ""
    try:
        return addresses.normalise(raw).address
    except addresses.InvalidAddress as refusal:
        raise RenderingError(f"Check the addresses of sender, replies and contact. {refusal}") from refusal


def _phrase(name: str) -> str:
    """A name in front of <...>: quoted unless it is plain words (RFC 5322 3.2.5); `mailkit.headers` encodes it."""
    if re.fullmatch(r"[A-Za-z0-9 ]+", name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
