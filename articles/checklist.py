"""What an editor would want to know of a story before readers see it.

An error stops publishing. A warning stops it until somebody acknowledges it by name, which is stored. A hint stops
nothing. The rules look at the rows as they are, or at a story that is not saved (`articles.unsaved`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from html.parser import HTMLParser
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from articles import markup, permissions
from articles.models import Acknowledgement, Article, Image
from articles.refusals import NotReady
from core import link_check, tasks
from core.link_check import Link, Verdict
from mailkit.html import Rendered
from staff import audit
from staff.audit_actions import AuditAction

# Longer ones are cut in inboxes and search results.
LONG_HEADLINE: Final = 110
LONG_SLUG: Final = 80
# Networks show a picture large from this width on.
SHARED_WIDTH: Final = 600
PLACEHOLDER: Final = re.compile(
    r"\bTK(?:TK)*\b|\bX{3,}\b|\?{3,}|\blorem ipsum\b|\[(?:tbc|tbd|todo|name|date|source|link|quote)\](?![(\[:])",
    flags=re.IGNORECASE,
)
LOWER_CASE_TK: Final = re.compile(r"\btk\b")
CARELESS_SLUG: Final = re.compile(r"^(?:untitled|draft|test|new|copy)(?:-|$)|-copy$|^[0-9-]+$|-[0-9]$")


class Level(StrEnum):
    """What a finding does to publishing."""

    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark. `subject` is what it is about: an acknowledgement covers no other."""

    code: str
    level: Level
    sentence: str
    subject: str = ""

    @property
    def key(self) -> str:
        """The name by which it is acknowledged."""
        return f"{self.code}:{self.subject}"


class NotAcknowledged(NotReady):
    """The story has warnings that nobody acknowledged; str() has their sentences."""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of a story, with what was acknowledged."""

    findings: tuple[Finding, ...]
    acknowledgements: dict[str, Acknowledgement]

    @property
    def errors(self) -> list[Finding]:
        """What has to be mended."""
        return self._of(Level.ERROR)

    @property
    def warnings(self) -> list[Finding]:
        """What has to be mended or acknowledged."""
        return [one for one in self._of(Level.WARNING) if one.key not in self.acknowledgements]

    @property
    def acknowledged(self) -> list[tuple[Finding, Acknowledgement]]:
        """Warnings that somebody accepted, and who."""
        warnings = self._of(Level.WARNING)
        return [(one, self.acknowledgements[one.key]) for one in warnings if one.key in self.acknowledgements]

    @property
    def hints(self) -> list[Finding]:
        """What would make it better."""
        return self._of(Level.HINT)

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing left to do."""
        return not (self.errors or self.warnings)

    def _of(self, level: Level) -> list[Finding]:
        return [one for one in self.findings if one.level is level]


def report(*, article: Article) -> Report:
    """The findings of this story; links that nobody has looked up yet are asked for."""
    rows = article.acknowledgements.select_related("acknowledged_by") if article.pk else ()
    facts = Facts(article)
    return Report(
        tuple(finding for rule in RULES for finding in rule(facts)),
        {f"{row.code}:{row.subject}": row for row in rows},
    )


def acknowledge(*, article: Article, keys: Collection[str], actor: User, now: datetime) -> None:
    """Accept these warnings by name, as far as the story has them. On failure: NotAllowed."""
    wanted = [one for one in report(article=article).warnings if one.key in keys]
    if not wanted:
        return
    permissions.require(permissions.PUBLISH, user=actor, article=article)
    with transaction.atomic():
        for one in wanted:
            Acknowledgement.objects.get_or_create(
                article=article, code=one.code, subject=one.subject,
                defaults={"acknowledged_by": actor, "acknowledged_at": now},
            )  # fmt: skip
        audit.record(
            action=AuditAction.STORY_WARNING_ACKNOWLEDGED, actor=actor, target=article, now=now,
            warnings=[one.key for one in wanted],
        )  # fmt: skip


def require(*, article: Article) -> None:
    """Return when nothing keeps the story from readers. On failure: NotReady, or NotAcknowledged."""
    result = report(article=article)
    if result.errors:
        raise NotReady(" ".join(one.sentence for one in result.errors))
    if result.warnings:
        sentences = " ".join(one.sentence for one in result.warnings)
        raise NotAcknowledged(_("Mend or acknowledge this first: %(warnings)s") % {"warnings": sentences})


class _Pictures(HTMLParser):
    """Counts the pictures of a text that say nothing to those who cannot see them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a picture without alternative text."""
        if tag == "img" and not (dict(attrs).get("alt") or "").strip():
            self.silent += 1


class Facts:
    """What the rules ask of a story."""

    def __init__(self, article: Article) -> None:
        self.article = article

    @cached_property
    def rendered(self) -> Rendered | None:
        """The text as readers get it; None while it is refused, which the form says."""
        try:
            return markup.render(self.article.body_markdown)
        except markup.MarkupRefused:
            return None

    @cached_property
    def html(self) -> str:
        """The text as HTML."""
        return self.rendered.html if self.rendered else ""

    @cached_property
    def pictures(self) -> list[Image]:
        """The pictures of the story, the one above the text first."""
        numbers = markup.pictures_in(self.article.body_markdown)
        inside = Image.objects.in_bulk(numbers)
        lead = [self.article.lead_image] if self.article.lead_image else []
        return list(dict.fromkeys([*lead, *(inside[number] for number in numbers if number in inside)]))

    @cached_property
    def links(self) -> list[Link]:
        """Where its links lead, and what is known of that."""
        return tasks.links(urls=link_check.links_in(self.html))


def _words(facts: Facts) -> Iterator[Finding]:
    if not facts.article.headline.strip():
        yield Finding("headline", Level.ERROR, _("Write a headline first."))
    text = facts.rendered.text if facts.rendered else facts.article.body_markdown
    if not text.strip() and "<img" not in facts.html:
        yield Finding("text", Level.ERROR, _("Write the text first."))
    if facts.rendered is None:
        yield Finding("markup", Level.ERROR, _("The text cannot be shown as it is. The form says why."))


def _alternative_texts(facts: Facts) -> Iterator[Finding]:
    parser = _Pictures()
    parser.feed(facts.html)
    lead = facts.article.lead_image
    silent = parser.silent + int(lead is not None and not lead.alt.strip())
    if silent:
        sentence = ngettext(
            "A picture has no alternative text, so blind readers do not know what it shows.",
            "%(count)s pictures have no alternative text, so blind readers do not know what they show.",
            silent,
        )
        yield Finding("alt", Level.ERROR, sentence % {"count": silent})


def _byline(facts: Facts) -> Iterator[Finding]:
    # A new story gets the writer's own name when it is saved.
    if facts.article.pk and not facts.article.byline:
        yield Finding("byline", Level.WARNING, _("Nobody's name is under the headline."))


def _placeholders(facts: Facts) -> Iterator[Finding]:
    article = facts.article
    for text in (article.headline, article.standfirst, article.body_markdown):
        for match in PLACEHOLDER.finditer(text):
            if LOWER_CASE_TK.fullmatch(match[0]):
                continue
            context = " ".join(text[max(0, match.start() - 30) : match.end() + 30].split())
            sentence = _("“%(words)s” looks as if something were still to come: … %(context)s …")
            yield Finding("placeholder", Level.WARNING, sentence % {"words": match[0], "context": context}, context)


def _credits(facts: Facts) -> Iterator[Finding]:
    for picture in facts.pictures:
        if not picture.credit.strip():
            sentence = _("The picture “%(alt)s” has no credit.") % {"alt": picture.alt}
            yield Finding("credit", Level.WARNING, sentence, str(picture.pk))


def _links(facts: Facts) -> Iterator[Finding]:
    for link in facts.links:
        if link.verdict in (Verdict.DEAD, Verdict.REFUSED):
            yield Finding("link", Level.WARNING, f"{link.sentence} {link.url}", link.url[:500])
        elif link.verdict is Verdict.DOUBTFUL:
            yield Finding("link", Level.HINT, f"{link.sentence} {link.url}", link.url[:500])
    if pending := sum(link.verdict is Verdict.PENDING for link in facts.links):
        sentence = ngettext("%(count)s link is being looked up.", "%(count)s links are being looked up.", pending)
        yield Finding("pending", Level.HINT, sentence % {"count": pending})


def _slug(facts: Facts) -> Iterator[Finding]:
    slug = facts.article.slug
    if facts.article.first_published_at is None and (len(slug) > LONG_SLUG or CARELESS_SLUG.search(slug)):
        sentence = _("The address /articles/%(slug)s/ would not tell readers what the story is about.")
        yield Finding("slug", Level.HINT, sentence % {"slug": slug}, slug)


def _headline_length(facts: Facts) -> Iterator[Finding]:
    length = len(facts.article.headline)
    if length > LONG_HEADLINE:
        sentence = _("The headline has %(length)s characters. Inboxes and search results cut it after about %(most)s.")
        yield Finding("long-headline", Level.WARNING, sentence % {"length": length, "most": LONG_HEADLINE}, str(length))


def _standfirst(facts: Facts) -> Iterator[Finding]:
    if not facts.article.standfirst.strip():
        yield Finding("standfirst", Level.HINT, _("There is no standfirst. Digests and search results show one."))


def _share_picture(facts: Facts) -> Iterator[Finding]:
    lead = facts.article.lead_image
    if lead is None:
        yield Finding("share", Level.HINT, _("There is no picture above the text, so a shared link shows none."))
    elif lead.width < SHARED_WIDTH:
        sentence = _("The picture above the text is %(width)s pixels wide, so a shared link shows it small.")
        yield Finding("share", Level.HINT, sentence % {"width": lead.width})


RULES: Final = (
    _words, _alternative_texts, _byline, _placeholders, _credits, _links, _headline_length, _slug, _standfirst,
    _share_picture,
)  # fmt: skip
