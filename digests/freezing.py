"""Freeze an issue: make the snapshot that is sent, shown in the archive, and proved by its hash.

Rendering is slow, so it holds no lock. `prepare` reads and renders; `store` locks the issue briefly, checks
that nothing has changed since, and saves the snapshot.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from digests import clicks, issue_content, readership, rendering
from digests.models import Frozen, Issue, IssueItem, Snapshot, Variant
from digests.readership import Rule, Text
from digests.variant_keys import OWN, VariantKey
from mailkit import segments
from publication import languages
from publication.models import Publication
from subscribers.models import Newsletter

EDITABLE = (Issue.State.DRAFT, Issue.State.SCHEDULED, Issue.State.PREPARING)
WORDS: Final = ("subject", "preheader", "html", "text", "headers", "compiled")
PARTS: Final = ("issue_id", *WORDS, "audience_rule")
# Format -> the parts that the hash covers. A format that was in use never changes. A new part makes a new format.
FORMATS: Final[dict[int, tuple[str, ...]]] = {
    1: PARTS,
    2: (*PARTS, "format"),
    3: ("issue_id", "language", "stories", *WORDS, "format"),
    4: ("issue_id", "language", "topics", "reading", "stories", *WORDS, "format"),
    5: ("issue_id", "language", "topics", "reading", "amended", "stories", *WORDS, "format"),
}
FORMAT: Final = 2
FORMAT_OF_VARIANTS: Final = 5
# Give up after this many tries during which an editor changed the issue.
TRIES: Final = 5
BUSY = _("Somebody is changing this issue or one of its stories at this moment. Try again in a minute.")


class NotFrozen(Exception):
    """The issue cannot be frozen. The message is a sentence that says what to do."""


class Busy(NotFrozen):
    """The issue was changed during each try. A later try can succeed."""


class Outdated(Exception):
    """Something changed since the snapshot was prepared. It has to be prepared again."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An unsaved snapshot, the content that it was rendered from, and its variants.

    It has `placeholder` in place of the issue's number in the archive, which is assigned under the lock, and is
    dated for the hour `leaves_at`, if one was given. A variant is the same, with what it shows, and how many read its
    language.
    """

    placeholder: int
    content: issue_content.IssueContent
    snapshot: Frozen
    leaves_at: datetime | None = None
    text: Text = readership.OWN_TEXT
    readers: int = 0
    variants: tuple[Prepared, ...] = ()
    rule: Rule = readership.ALIKE

    @property
    def key(self) -> VariantKey:
        return self.text.key

    @property
    def languages(self) -> tuple[Prepared, ...]:
        """The variants with all stories in another language. The others show some of the same."""
        return tuple(one for one in self.variants if one.key.is_whole)

    @property
    def contents(self) -> list[issue_content.IssueContent]:
        """Of the snapshot, then in each language."""
        return [self.content, *(one.content for one in self.languages)]


def freeze(*, issue: Issue, now: datetime, among: Collection[int] | None = None) -> Snapshot:
    """Render the issue once and store the result. Afterwards nothing changes what readers get.

    After: the snapshot exists and the issue has its number in the archive. A story that is not public was taken
    out, so that a later issue may have it. It has texts for the subscribers `among` its readers; None: for all. A
    repeated call returns the same snapshot. On failure: NotFrozen;
    nothing is stored and no number is used.
    """
    for prepared in attempts(issue=issue, now=now, among=among):
        try:
            with transaction.atomic():
                return store(issue=issue, prepared=prepared, now=now)
        except Outdated:
            continue
    raise AssertionError  # `attempts` raises Busy


def attempts(
    *,
    issue: Issue,
    now: datetime,
    leaves_at: datetime | None = None,
    again: bool = False,
    among: Collection[int] | None = None,
) -> Iterator[Prepared | None]:
    """Yield a prepared snapshot per try; the caller asks for the next one if it was outdated.

    None: the issue is frozen already. On failure: NotFrozen; Busy after TRIES. The rest is as in `prepare`.
    """
    for _try in range(TRIES):
        yield prepare(issue=issue, now=now, leaves_at=leaves_at, again=again, among=among)
    raise Busy(BUSY)


def prepare(
    *,
    issue: Issue,
    now: datetime,
    leaves_at: datetime | None = None,
    again: bool = False,
    looks: bool = False,
    among: Collection[int] | None = None,
) -> Prepared | None:
    """Render the issue as it is now. No row is locked or changed. None: it is frozen already.

    Its head has the day of `leaves_at`, or of the hour set on the issue. `again`: whether it is frozen does not matter.
    `looks`: only to look at it, in each language; what shows a part of the same is left out.
    """
    current = Issue.objects.select_related("newsletter").get(pk=issue.pk)
    if not again and Snapshot.objects.filter(issue=current).exists():
        return None
    current.scheduled_for = leaves_at or current.scheduled_for
    _check_state(current)
    _check_publication()
    # No text contains this number by chance.
    current.number = placeholder = secrets.randbelow(9 * 10**17) + 10**17

    def prepared(text: Text = readership.OWN_TEXT, readers: int = 0) -> Prepared:
        try:
            content = _content(current, text, now)
            frozen = _rendered(current, content, now, text)
        except rendering.RenderingError as refusal:
            where = f"{languages.name_of(text.key.language)}: " if text.key.language else ""
            raise NotFrozen(f"{where}{refusal}") from refusal
        return Prepared(placeholder, content, frozen, leaves_at, text, readers)

    read = readership.of(issue=current, now=now, among=among)
    texts = [text for text in read.texts if text.key.is_whole or not looks]
    rendered = (prepared(text, read.languages.get(text.key.language, 0)) for text in texts)
    return replace(prepared(), variants=tuple(rendered), rule=read.rule)


def store(*, issue: Issue, prepared: Prepared | None, now: datetime) -> Snapshot:
    """Store the prepared snapshot in the caller's transaction, if the issue has not changed since.

    On failure: Outdated if it has changed, NotFrozen if the issue's state no longer allows it.
    """
    locked = Issue.objects.select_for_update(of=("self",), no_key=True).select_related("newsletter").get(pk=issue.pk)
    if (existing := Snapshot.objects.filter(issue=locked).first()) is not None:
        return existing
    if prepared is None:
        raise Outdated
    _check_state(locked)
    # First, before the issue is read again. A story that is withdrawn later keeps its item, and the engine finds it.
    IssueItem.objects.filter(issue=locked).gone().delete()
    number = locked.number or _next_number(locked.newsletter_id)
    for one in (prepared, *prepared.variants):
        _check_unchanged(locked, one, now)
    snapshot = _saved(prepared, locked, number)
    locked.number = issue.number = number
    locked.save(update_fields=["number", "updated_at"])
    return snapshot


def preview(*, issue: Issue, now: datetime, text: Text = readership.OWN_TEXT) -> Frozen:
    """The snapshot, or variant, that the issue would have if it were frozen now; not compiled and not saved.

    On failure: RenderingError.
    """
    return _rendered(issue, _content(issue, text, now), now, text)


def verify(*, snapshot: Snapshot) -> bool:
    """True if the snapshot and its variants are byte for byte what was frozen, and no variant is missing or new."""
    variants_now = list(snapshot.variants.all())
    is_whole = {one.key: one.sha256 for one in variants_now} == snapshot.audience_rule.get("variants", {})
    return is_whole and all(one.sha256 == fingerprint(snapshot=one) for one in (snapshot, *variants_now))


def fingerprint(*, snapshot: Frozen) -> str:
    """SHA-256 (64 hex digits) over the canonical JSON of the parts that its format covers."""
    parts = {name: getattr(snapshot, name) for name in FORMATS[snapshot.format]}
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _content(issue: Issue, text: Text, now: datetime) -> issue_content.IssueContent:
    return issue_content.load(issue=issue, now=now, key=text.key, only=text.stories, amended=text.amendments)


def _rendered(issue: Issue, content: issue_content.IssueContent, now: datetime, text: Text) -> Frozen:
    key = text.key
    rendered = rendering.write(content=content)
    words: dict[str, Any] = {name: getattr(rendered, name) for name in ("subject", "preheader", "html", "text")}
    words["headers"] = _headers(issue, rendered.subject, key.language)
    if key != OWN:
        shown = None if text.stories is None else sorted(text.stories)
        return Variant(**key._asdict(), shown=shown, stories=list(content.translations), **words)
    return Snapshot(issue=issue, frozen_at=now, **words)


def _headers(issue: Issue, subject: str, language: str) -> list[list[str]]:
    """With addresses of pages in this language."""
    with languages.override(language or issue.newsletter.language):
        return [list(pair) for pair in rendering.headers(issue=issue, subject=subject)]


def _check_unchanged(locked: Issue, prepared: Prepared, now: datetime) -> None:
    """Compare the content of the snapshot with the current rows. On failure: Outdated."""
    number, hour = locked.number, locked.scheduled_for
    locked.number, locked.scheduled_for = prepared.placeholder, prepared.leaves_at or hour
    content = _content(locked, prepared.text, now)
    locked.number, locked.scheduled_for = number, hour
    headers = _headers(locked, prepared.snapshot.subject, prepared.key.language)
    if content != prepared.content or headers != prepared.snapshot.headers:
        raise Outdated


def _saved(prepared: Prepared, issue: Issue, number: int) -> Snapshot:
    """The snapshot, saved with its variants. On failure: NotFrozen."""
    snapshot = prepared.snapshot
    assert isinstance(snapshot, Snapshot), "what is prepared is no variant"  # noqa: S101  # for the types
    snapshot.issue = issue
    variants = [_completed_variant(one, snapshot, number) for one in prepared.variants]
    snapshot.audience_rule = _audience_rule(issue, {one.key: one.sha256 for one in variants}, prepared.rule)
    _complete(prepared, issue, number, FORMAT)
    snapshot.save(force_insert=True)
    for variant in variants:
        variant.snapshot = snapshot
        variant.save(force_insert=True)
    return snapshot


def _completed_variant(prepared: Prepared, snapshot: Snapshot, number: int) -> Variant:
    variant = prepared.snapshot
    assert isinstance(variant, Variant), "what has a key is a variant"  # noqa: S101  # for the types
    variant.snapshot = snapshot
    _complete(prepared, snapshot.issue, number, FORMAT_OF_VARIANTS)
    return variant


def _complete(prepared: Prepared, issue: Issue, number: int, format_: int) -> None:
    """Give what was prepared its number, compile it, and hash it. On failure: NotFrozen."""
    snapshot, placeholder = prepared.snapshot, str(prepared.placeholder)
    snapshot.html = snapshot.html.replace(placeholder, str(number))
    snapshot.text = snapshot.text.replace(placeholder, str(number))
    headers = [(name, value) for name, value in snapshot.headers]
    try:
        compiled = segments.compile(
            headers=headers, text=snapshot.text, html=_counted(snapshot.html, issue), slots=rendering.SLOTS.keys()
        )
    except segments.CannotCompile as refusal:
        raise NotFrozen(str(refusal)) from refusal
    snapshot.compiled = compiled.dump()
    snapshot.format = format_
    snapshot.sha256 = fingerprint(snapshot=snapshot)


def _counted(html: str, issue: Issue) -> str:
    """What is mailed: with counted links if the newsletter counts them. The archive has the links themselves."""
    return clicks.counted(html, issue_id=issue.pk) if issue.newsletter.counts_clicks else html


def _audience_rule(issue: Issue, variants: dict[str, str], texts: Rule) -> dict[str, Any]:
    """Who gets the issue, and which text of it. An empty cadence means every cadence; `mailable()` decides the rest.

    `variants` are the hashes of its further texts: the snapshot's own hash covers them.
    """
    rule: dict[str, Any] = {"newsletter": issue.newsletter_id, "cadence": issue.cadence, "rule": "mailable"}
    if issue.corrects_id is not None:
        rule["corrects"] = issue.corrects_id
    if issue.segment is not None:
        rule["segment"] = {"id": issue.segment.pk, "name": issue.segment.name, "conditions": issue.segment.conditions}
    if variants:
        rule["variants"] = variants
    return rule | texts.stored()


def _check_state(issue: Issue) -> None:
    if issue.state not in EDITABLE:
        raise NotFrozen(
            _("An issue that is %(state)s cannot be frozen.") % {"state": issue.get_state_display().lower()}
        )


def _check_publication() -> None:
    """Refuse if the postal address is missing, which every bulk mail must carry."""
    address = Publication.objects.current().postal_address.strip()
    if address in ("", Publication().postal_address):
        raise NotFrozen(_("Set the publication's postal address first: the law asks for it in every newsletter."))


def _next_number(newsletter_id: int) -> int:
    """The next number in the newsletter's archive. Locks the newsletter's row, so that nobody else gets it."""
    Newsletter.objects.select_for_update(no_key=True).get(pk=newsletter_id)
    last = Issue.objects.filter(newsletter=newsletter_id).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1
