"""Turns an issue into the one snapshot that is sent, shown in the archive, and proved by its hash."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from articles.models import Article
from digests import rendering
from digests.models import Issue, Snapshot
from mailkit import segments
from publication.models import Publication
from subscribers.models import Newsletter

EDITABLE = (Issue.State.DRAFT, Issue.State.SCHEDULED, Issue.State.PREPARING)


class NotFrozen(Exception):
    """The issue cannot be frozen; the message is a sentence that says what to do."""


@transaction.atomic
def freeze(*, issue: Issue, now: datetime) -> Snapshot:
    """Render the issue once and keep it: from here on nothing changes what readers get.

    After: the snapshot exists, the issue has its number in the archive, and a story that is not public
    stands in it no more, so that a later issue may have it. Whoever asks again gets the
    same snapshot. On failure: NotFrozen; nothing is kept and no number is used up.
    """
    locked = Issue.objects.select_for_update(of=("self",)).select_related("newsletter").get(pk=issue.pk)
    known = Snapshot.objects.filter(issue=locked).first()
    if known is not None:
        return known
    if locked.state not in EDITABLE:
        raise NotFrozen(f"An issue that is {locked.get_state_display().lower()} cannot be frozen.")
    _check_house()
    locked.number = locked.number or _next_number(locked.newsletter_id)
    # Before it is rendered: what is withdrawn after this keeps its place, by which the engine finds it.
    locked.items.filter(included=True).exclude(article__state=Article.State.PUBLISHED).delete()
    snapshot = _snapshot(locked, now=now)
    snapshot.save(force_insert=True)
    locked.save(update_fields=["number", "updated_at"])
    issue.number = locked.number
    return snapshot


def sketch(*, issue: Issue, now: datetime) -> Snapshot:
    """What the issue's snapshot would show if it were frozen now; not compiled, and not saved.

    On failure: RenderingError.
    """
    written = rendering.render(issue=issue, now=now)
    headers = rendering.headers(issue=issue, subject=written.subject)
    return Snapshot(
        issue=issue,
        subject=written.subject,
        preheader=written.preheader,
        html=written.html,
        text=written.text,
        headers=[list(pair) for pair in headers],
        frozen_at=now,
    )


def verify(*, snapshot: Snapshot) -> bool:
    """True when the snapshot is what was frozen, to the letter."""
    return snapshot.sha256 == fingerprint(snapshot=snapshot)


def fingerprint(*, snapshot: Snapshot) -> str:
    """SHA-256 (64 hex digits) over the canonical JSON of every part that readers or the engine use."""
    parts = {
        name: getattr(snapshot, name)
        for name in ("issue_id", "subject", "preheader", "html", "text", "headers", "compiled", "audience_rule")
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _snapshot(issue: Issue, *, now: datetime) -> Snapshot:
    """The snapshot of the issue as it stands, not saved yet."""
    try:
        snapshot = sketch(issue=issue, now=now)
        headers = [(name, value) for name, value in snapshot.headers]
        compiled = segments.compile(
            headers=headers, text=snapshot.text, html=snapshot.html, slots=rendering.SLOTS.keys()
        )
    except (rendering.RenderingError, segments.CannotCompile) as refusal:
        raise NotFrozen(str(refusal)) from refusal
    snapshot.compiled = compiled.dump()
    snapshot.audience_rule = _audience_rule(issue)
    snapshot.sha256 = fingerprint(snapshot=snapshot)
    return snapshot


def _audience_rule(issue: Issue) -> dict[str, Any]:
    """Who gets it; an empty cadence means every cadence. The engine asks `mailable()` for the rest."""
    return {"newsletter": issue.newsletter_id, "cadence": issue.cadence, "rule": "mailable"}


def _check_house() -> None:
    """Refuse while something is missing that every bulk mail must carry."""
    address = Publication.objects.current().postal_address.strip()
    if address in ("", Publication().postal_address):
        raise NotFrozen("Set the publication's postal address first: the law asks for it in every newsletter.")


def _next_number(newsletter_id: int) -> int:
    """The next place in the newsletter's archive. Holds the newsletter's row, so nobody else gets it."""
    Newsletter.objects.select_for_update(no_key=True).get(pk=newsletter_id)
    last = Issue.objects.filter(newsletter=newsletter_id).aggregate(last=Max("number"))["last"]
    return (last or 0) + 1
