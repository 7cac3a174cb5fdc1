"""Lay out an issue: HTML and text from its content, with slots where readers' copies differ.

Text that an editor typed never reaches the templates. It is inserted, escaped, after MJML was compiled, and
anything in it that looks like a slot is changed so that it is none.
"""

from __future__ import annotations

import re
import secrets
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import css_inline
from django.template import loader
from django.utils import translation
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from digests.amendments import Line
from digests.issue_content import IssueContent, Story
from digests.models import Issue
from mailkit import html as markup
from mailkit import mjml
from publication import languages

# Slot -> the value that `digests.sending.merge` inserts for one reader.
SLOTS: Mapping[str, str] = {
    "to": "the reader's address",
    "date": "when this copy is handed over, as RFC 5322 writes it",
    "message_id": "the delivery's Message-ID with its angle brackets",
    "unsubscribe_url": "one-click address that ends this subscription",
    "unsubscribe_token": "the token alone, for the subject of a mail that asks to be removed",
    "unsubscribe_code": "the local part of the address that unsubscribes by mail",
    "preferences_url": "the reader's preference page",
}
LOOKS_LIKE_SLOT = re.compile(r"%(?=%(?:" + "|".join(SLOTS) + r")%%)")
WORD_JOINER = "\u2060"  # invisible, and not a control character, so a header may have it

WIDTH = 76
RULE = "-" * WIDTH
# Inboxes fill their preview line with the text that follows; this keeps the masthead out of it.
PADDING = "&#847;&zwnj;&nbsp;&#8199;&#65279;" * 40

# Colours are validated and families are ours: they go unescaped into the style sheet. MJML calculates with the width.
UNESCAPED = ("accent", "ink", "dark_accent", "display", "serif", "logo_width")

PROSE = """
p { margin: 0 0 16px; } ul, ol { margin: 0 0 16px; padding-left: 24px; } li { margin: 0 0 6px; }
li ul, li ol { margin-bottom: 0; } li.task { list-style: none; }
h1, h2, h3, h4 { font-family: DISPLAY; line-height: 1.25; margin: 28px 0 10px; }
h1 { font-size: 24px; } h2 { font-size: 21px; } h3, h4 { font-size: 18px; }
blockquote { margin: 0 0 16px; padding: 2px 0 2px 16px; border-left: 3px solid #dcd7d0; font-style: italic; }
img { max-width: 100%; height: auto; border: 0; } figure { margin: 0 0 16px; }
figcaption { font-size: 13px; color: #57504a; } hr { border: 0; border-top: 1px solid #dcd7d0; margin: 24px 0; }
pre { background: #f6f4f1; color: #1c1917; padding: 12px; white-space: pre-wrap; font-size: 14px; }
pre, code { font-family: Consolas, Menlo, 'Liberation Mono', monospace; } code { font-size: 0.9em; }
pre code { font-size: 14px; } .code-comment { color: #6a6259; font-style: italic; } .code-keyword { color: #8c1d40; }
.code-name { color: #1d4f91; } .code-number { color: #7d4a00; } .code-deleted { color: #a4161a; }
.code-string, .code-inserted { color: #1b6e3c; }
.footnote { font-size: 14px; line-height: 1.5; } .footnote p { margin: 0 0 8px; }
table { border-collapse: collapse; margin: 0 0 16px; } th, td { border: 1px solid #dcd7d0; padding: 6px 10px; }
.align-left { text-align: left; } .align-center { text-align: center; } .align-right { text-align: right; }
table.card td { border: 0; padding: 14px 16px; background: #f6f4f1; color: #1c1917; } table.card p { margin: 0 0 8px; }
table.card td.card-note { border-top: 3px solid #8a8178; } table.card td.card-warning { border-top: 3px solid #a4161a; }
table.card td.card-picture { padding-right: 0; } table.card .card-title { font-size: 17px; margin: 0 0 4px; }
table.card .card-text { font-size: 14px; color: #57504a; margin: 0; } table.card a { color: #1c1917; }
figure.card-quote { border-top: 1px solid #dcd7d0; border-bottom: 1px solid #dcd7d0; padding: 14px 0; }
figure.card-quote { text-align: center; }
figure.card-quote blockquote { border: 0; padding: 0; margin: 0; font-size: 21px; font-style: normal; }
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """An issue that is being laid out: its content, and texts derived from it.

    `introduction`, `sponsor` and `body` (the text of the story of an article issue) are HTML with our inline styles.
    """

    content: IssueContent
    subject: str
    preheader: str
    introduction: str
    sponsor: str
    body: str

    @property
    def words(self) -> dict[str, str]:
        """The words of masthead and footer, with subject and preheader."""
        return self.content.words | {"subject": self.subject, "preheader": self.preheader}


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of an issue is shown: stories in full, then headlines; of an article issue, the part of its text."""

    full: int
    headlines: int
    body: str
    is_cut: bool = False


@dataclass(slots=True)
class Placeholders:
    """Keep content away from the MJML compiler: it sees a token, which the content replaces afterwards."""

    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    contents: list[str] = field(default_factory=list)

    def text(self, value: str) -> str:
        """A token for plain text, which will be escaped; empty for empty text, so that templates can test it."""
        return self.html(escape(value))

    def html(self, value: str) -> str:
        """A token for sanitised HTML; empty for none. Its `%%` are escaped, so it has no slot."""
        if not value:
            return ""
        self.contents.append(value.replace("%%", "&#37;&#37;"))
        return f"content{self.nonce}n{len(self.contents) - 1}z"

    def replace(self, document: str) -> str:
        """The document with the content in place of every token."""
        return re.sub(rf"content{self.nonce}n(\d+)z", lambda token: self.contents[int(token[1])], document)


def html(*, draft: Draft, extent: Extent) -> str:
    """The issue's HTML part. On failure: mjml.MjmlError."""
    with _language(draft):
        return _html(draft, extent)


def _html(draft: Draft, extent: Extent) -> str:
    placeholders, words, kind = Placeholders(), draft.words, draft.content.kind
    context: dict[str, Any] = {name: placeholders.text(value) for name, value in words.items()}
    context |= {name: mark_safe(words[name]) for name in UNESCAPED}  # noqa: S308  # as said there
    context["preheader"] = placeholders.html(escape(words["preheader"]) + PADDING)
    context["postal_address"] = placeholders.html(escape(words["postal_address"]).replace("\n", "<br />"))
    for name in ("introduction", "sponsor"):
        language = words["own_language" if name in draft.content.untranslated else "language"]
        context[name] = placeholders.html(_marked("div", getattr(draft, name), language, within=words["language"]))
    stories = draft.content.stories
    body = _marked("div", extent.body, stories[0].language, within=words["language"]) if extent.body else ""
    context["body"] = placeholders.html(body)
    context["amendments"] = [_escaped_line(one, placeholders, words["language"]) for one in draft.content.amendments]
    escaped = [_escaped(story, placeholders, within=words["language"]) for story in stories]
    context |= _arranged(escaped, draft.content, extent)
    return placeholders.replace(mjml.compile(loader.render_to_string(f"digests/mail/{kind}.mjml", context)))


def text(*, draft: Draft, extent: Extent) -> str:
    """The issue's text part."""
    with _language(draft):
        return _text(draft, extent)


def _text(draft: Draft, extent: Extent) -> str:
    words, kind = draft.words, draft.content.kind
    context: dict[str, Any] = {
        **{name: without_slots(value) for name, value in words.items()},
        "masthead_line": _wrapped(" · ".join(dict.fromkeys([words["publication"], words["date"]]))),
        "introduction": _readable(draft.introduction),
        "sponsor": _readable(draft.sponsor),
        "body": _readable(extent.body),
        "amendments": [
            {"text": _wrapped(f"{_called(one)} {one.text}"), "url": one.url} for one in draft.content.amendments
        ],
        "rule": RULE,
        "because": _wrapped(" ".join(_because(draft.content))),
        "imprint": _imprint(words),
    }
    context |= _arranged([_wrapped_story(story) for story in draft.content.stories], draft.content, extent)
    rendered = loader.render_to_string(f"digests/mail/{kind}.txt", context)
    return re.sub(r"\n{3,}", "\n\n", rendered).strip() + "\n"


def _because(content: IssueContent) -> Iterator[str]:
    yield _("You receive this because you subscribed to %(newsletter)s.") % content.words
    if content.is_chosen:
        yield _("It has the stories on the topics that you chose.")


def inlined(fragment: str, *, display: str) -> str:
    """Sanitised HTML with our styles on its elements, headings in the families of `display`.

    Some mail programs read no style sheet.
    """
    styled: str = css_inline.inline_fragment(fragment, PROSE.replace("DISPLAY", display))
    return styled


def without_slots(value: str) -> str:
    """The text with its slots disabled; a reader sees no difference."""
    return LOOKS_LIKE_SLOT.sub("%" + WORD_JOINER, value)


def is_digest(content: IssueContent) -> bool:
    """Whether the issue shows several stories, of which some may be headlines."""
    return content.kind == Issue.Kind.DIGEST


def _language(draft: Draft) -> AbstractContextManager[None]:
    """Templates speak the newsletter's language, whatever language is active in the thread."""
    return translation.override(languages.catalogue(draft.content.words["language"]))


def _arranged(stories: list[dict[str, Any]], content: IssueContent, extent: Extent) -> dict[str, Any]:
    """The template context of the stories: a lead, others in full, headlines, and how many more there are."""
    shown = extent.full + extent.headlines
    return {
        "lead": stories[0] if extent.full else None,
        "stories": stories[1 : extent.full],
        "headlines": stories[extent.full : shown],
        "more": content.total - shown if is_digest(content) else 0,
        "is_cut": extent.is_cut,
        "is_chosen": content.is_chosen,
    }


def _escaped(story: Story, placeholders: Placeholders, *, within: str) -> dict[str, Any]:
    escaped: dict[str, Any] = {name: placeholders.text(getattr(story, name)) for name in ("url", "section", "byline")}
    for name in ("headline", "summary"):
        words = _marked("span", escape(getattr(story, name)), getattr(story, f"{name}_language"), within=within)
        escaped[name] = placeholders.html(words)
    picture = story.picture
    escaped["picture"] = picture and {
        "width": picture.width,
        **{name: placeholders.text(getattr(picture, name)) for name in ("src", "thumbnail", "alt", "note")},
    }
    return escaped


def _called(line: Line) -> str:
    return f"{line.headline}:" if line.headline else _("A story that we sent you was withdrawn:")


def _escaped_line(line: Line, placeholders: Placeholders, within: str) -> dict[str, str]:
    called = _called(line)
    named = _marked("strong", escape(called), line.language if line.headline else within, within=within)
    return {
        "name": placeholders.html(named),
        "text": placeholders.html(_marked("span", escape(line.text), line.language, within=within)),
        "url": placeholders.text(line.url),
    }


def _marked(element: str, fragment: str, language: str, *, within: str) -> str:
    """HTML that says its language and direction where the mail around it is in another one."""
    if not fragment or language in ("", within):
        return fragment
    direction = "rtl" if languages.is_right_to_left(language) else "ltr"
    return f'<{element} lang="{escape(language)}" dir="{direction}">{fragment}</{element}>'


def _wrapped_story(story: Story) -> dict[str, str]:
    byline = _("By %(names)s") % {"names": story.byline} if story.byline else ""
    colophon = " · ".join(filter(None, [story.section, byline]))
    return {
        "headline": _wrapped(story.headline),
        "summary": _wrapped(story.summary),
        "colophon": _wrapped(colophon),
        "url": story.url,
    }


def _imprint(words: dict[str, str]) -> str:
    published = _("%(publication)s is published by %(owner)s.") % words if words["owner"] else words["publication"]
    return _lines([published, *words["postal_address"].splitlines()])


def _readable(fragment: str) -> str:
    return without_slots(markup.to_text(fragment, width=WIDTH)) if fragment else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(_wrapped(line) for line in lines if line.strip())


def _wrapped(value: str) -> str:
    """Plain text in lines of at most 76 characters; a URL is never broken."""
    return textwrap.fill(without_slots(value), WIDTH, break_long_words=False, break_on_hyphens=False)
