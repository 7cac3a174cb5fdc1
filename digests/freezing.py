"""Freeze an issue: make the snapshot that is sent, shown in the archive, and proved by its hash.

Rendering is slow, so it holds no lock. `prepare` reads and renders; `store` locks the issue briefly, checks
that nothing has changed since, and saves the snapshot.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from digests import clicks, issue_content, rendering
from digests.models import Issue, IssueItem, Snapshot
from mailkit import segments
from publication.models import Publication
from subscribers.models import Newsletter

EDITABLE = (Issue.State.DRAFT, Issue.State.SCHEDULED, Issue.State.PREPARING)
PARTS: Final = ("issue_id", "subject", "preheader", "html", "text", "headers", "compiled", "audience_rule")
# Format -> the parts that the hash covers. A format that was in use never changes. A new part makes a new format.
FORMATS: Final[dict[int, tuple[str, ...]]] = {1: PARTS, 2: (*PARTS, "format")}
FORMAT: Final = 2
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
    """An unsaved snapshot, and the content that it was rendered from.

    It has `placeholder` in place of the issue's number in the archive, which is assigned under the lock, and is
    dated for the hour `leaves_at`, if one was given.
    """

    placeholder: int
    content: issue_content.IssueContent
    snapshot: Snapshot
    leaves_at: datetime | None = None


def freeze(*, issue: Issue, now: datetime) -> Snapshot:
    """Render the issue once and store the result. Afterwards nothing changes what readers get.

    After: the snapshot exists and the issue has its number in the archive. A story that is not public was taken
    out, so that a later issue may have it. A repeated call returns the same snapshot. On failure: NotFrozen;
    nothing is stored and no number is used.
    """
    for prepared in attempts(issue=issue, now=now):
        try:
            with transaction.atomic():
                return store(issue=issue, prepared=prepared, now=now)
        except Outdated:
            continue
    raise AssertionError  # `attempts` raises Busy


def attempts(
    *, issue: Issue, now: datetime, leaves_at: datetime | None = None, again: bool = False
) -> Iterator[Prepared | None]:
    """Yield a prepared snapshot per try; the caller asks for the next one if it was outdated.

    None: the issue is frozen already. On failure: NotFrozen; Busy after TRIES. The rest is as in `prepare`.
    """
    for _try in range(TRIES):
        yield prepare(issue=issue, now=now, leaves_at=leaves_at, again=again)
    raise Busy(BUSY)


def prepare(*, issue: Issue, now: datetime, leaves_at: datetime | None = None, again: bool = False) -> Prepared | None:
    """Render the issue as it is now. No row is locked or changed. None: it is frozen already.

    Its head has the day of `leaves_at`, or of the hour set on the issue. `again`: whether it is frozen does not matter.
    """
    current = Issue.objects.select_related("newsletter").get(pk=issue.pk)
    if not again and Snapshot.objects.filter(issue=current).exists():
        return None
    current.scheduled_for = leaves_at or current.scheduled_for
    _check_state(current)
    _check_publication()
    # No text contains this number by chance.
    current.number = placeholder = secrets.randbelow(9 * 10**17) + 10**17
    try:
        content = issue_content.load(issue=current, now=now)
        return Prepared(placeholder, content, _rendered(current, content, now), leaves_at)
    except rendering.RenderingError as refusal:
        raise NotFrozen(str(refusal)) from refusal


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
    _check_unchanged(locked, prepared, now)
    snapshot = _complete(prepared, locked, number)
    snapshot.save(force_insert=True)
    locked.number = issue.number = number
    locked.save(update_fields=["number", "updated_at"])
    return snapshot


def preview(*, issue: Issue, now: datetime) -> Snapshot:
    """The snapshot that the issue would have if it were frozen now; not compiled and not saved.

    On failure: RenderingError.
    """
    return _rendered(issue, issue_content.load(issue=issue, now=now), now)


def verify(*, snapshot: Snapshot) -> bool:
    """True if the snapshot is byte for byte what was frozen."""
    return snapshot.sha256 == fingerprint(snapshot=snapshot)


def fingerprint(*, snapshot: Snapshot) -> str:
    """SHA-256 (64 hex digits) over the canonical JSON of the parts that its format covers."""
    parts = {name: getattr(snapshot, name) for name in FORMATS[snapshot.format]}
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _rendered(issue: Issue, content: issue_content.IssueContent, now: datetime) -> Snapshot:
    rendered = rendering.write(content=content)
    headers = rendering.headers(issue=issue, subject=rendered.subject)
    return Snapshot(
        issue=issue,
        subject=rendered.subject,
        preheader=rendered.preheader,
        html=rendered.html,
        text=rendered.text,
        headers=[list(pair) for pair in headers],
        frozen_at=now,
    )


def _check_unchanged(locked: Issue, prepared: Prepared, now: datetime) -> None:
    """Compare the content of the snapshot with the current rows. On failure: Outdated."""
    number, hour = locked.number, locked.scheduled_for
    locked.number, locked.scheduled_for = prepared.placeholder, prepared.leaves_at or hour
    content = issue_content.load(issue=locked, now=now)
    locked.number, locked.scheduled_for = number, hour
    headers = rendering.headers(issue=locked, subject=prepared.snapshot.subject)
    if content != prepared.content or [list(pair) for pair in headers] != prepared.snapshot.headers:
        raise Outdated


def _complete(prepared: Prepared, issue: Issue, number: int) -> Snapshot:
    """The snapshot with its number, compiled and hashed. On failure: NotFrozen."""
    snapshot, placeholder = prepared.snapshot, str(prepared.placeholder)
    snapshot.issue = issue
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
    snapshot.audience_rule = _audience_rule(issue)
    snapshot.format = FORMAT
    snapshot.sha256 = fingerprint(snapshot=snapshot)
    return snapshot


def _counted(html: str, issue: Issue) -> str:
    """What is mailed: with counted links if the newsletter counts them. The archive has the links themselves."""
    return clicks.counted(html, issue_id=issue.pk) if issue.newsletter.counts_clicks else html


def _audience_rule(issue: Issue) -> dict[str, Any]:
    """Who gets the issue. An empty cadence means every cadence; `mailable()` decides the rest."""
    rule = {"newsletter": issue.newsletter_id, "cadence": issue.cadence, "rule": "mailable"}
    return rule if issue.corrects_id is None else rule | {"corrects": issue.corrects_id}


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
