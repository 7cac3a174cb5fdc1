"""The words of an issue: what was left in by mistake, and what inboxes show of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

from django.utils.translation import gettext as _

from digests.freezing import Prepared
from digests.issue_content import IssueContent
from digests.models import Issue, IssueItem
from digests.preflight.findings import Finding, finding

# How editors and other mail systems write what is still to come, or to be filled in for each reader.
MERGE_FIELD: Final = re.compile(r"\{\{.+?\}\}|\{%.+?%\}|\*\|.+?\|\*|%%\w+%%|\$\{\w+\}|<<\w+>>|\[\[\w+\]\]")
PLACEHOLDER: Final = re.compile(r"\bTKTK\w*|[\[(]TK\b|\bTK[\])]|\bLorem ipsum\b|\bXXX+\b")
MAYBE: Final = re.compile(r"\bTK\b|\bTBD\b|\bTODO\b")
# Characters of a subject that a phone shows, and those that most inboxes show.
PHONE, INBOX = 40, 60


def check(*, prepared: Prepared) -> Iterator[Finding]:
    """What the words show."""
    yield from _left_in(prepared.content)
    yield from _inbox_line(prepared)
    yield from _pictures(prepared)


def withdrawn(*, issue: Issue) -> Iterator[Finding]:
    """Stories that are in the issue and not public any more."""
    # Two steps, so that the planner joins no table with all stories.
    gone = list(IssueItem.objects.filter(issue=issue).gone().order_by().values_list("pk", flat=True)[:10])
    for item in IssueItem.objects.filter(pk__in=gone).with_stories():
        text = _("“%(story)s” is not public any more. Leave it out.")
        yield finding("story_withdrawn", text, story=item.article)


def _left_in(content: IssueContent) -> Iterator[Finding]:
    for place, words in _places(content):
        values = {"place": place}
        if match := MERGE_FIELD.search(words):
            text = _("%(place)s: “%(words)s” is not filled in; every reader would see it like this.")
            yield finding("merge_field", text, words=match[0][:60], **values)
        if match := PLACEHOLDER.search(words):
            yield finding("placeholder", _("%(place)s: “%(words)s” is still to come."), words=match[0], **values)
        elif match := MAYBE.search(words):
            text = _("%(place)s: “%(words)s” looks like something that is still to come.")
            yield finding("maybe_placeholder", text, words=match[0], **values)


def _places(content: IssueContent) -> Iterator[tuple[str, str]]:
    yield _("Subject"), content.subject
    yield _("Preheader"), content.preheader
    yield _("Introduction"), content.introduction
    yield _("Sponsor"), content.sponsor
    for number, story in enumerate(content.stories, start=1):
        yield _("Story %(number)s") % {"number": number}, f"{story.headline}\n{story.summary}"


def _inbox_line(prepared: Prepared) -> Iterator[Finding]:
    length = len(prepared.snapshot.subject)
    if length > INBOX:
        text = _("The subject has %(length)s characters; most inboxes cut it after about %(most)s.")
        yield finding("subject_long", text, length=length, most=INBOX)
    elif length > PHONE:
        text = _("The subject has %(length)s characters; phones cut it after about %(most)s.")
        yield finding("subject_phone", text, length=length, most=PHONE)
    if not prepared.content.preheader:
        text = _("No preheader was written. Inboxes show: “%(line)s”")
        yield finding("preheader_missing", text, line=prepared.snapshot.preheader or "…")


class _Pictures(HTMLParser):
    """Counts pictures without a description."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a picture; what is hidden from readers on purpose says so."""
        values = dict(attrs)
        if tag == "img" and not (values.get("alt") or "").strip() and values.get("role") != "presentation":
            self.silent += 1


def _pictures(prepared: Prepared) -> Iterator[Finding]:
    parser = _Pictures()
    parser.feed(prepared.snapshot.html)
    parser.close()
    if parser.silent:
        text = _("Pictures without a description (alt text): %(count)s. Some readers see nothing in their place.")
        yield finding("alt_missing", text, count=parser.silent)
