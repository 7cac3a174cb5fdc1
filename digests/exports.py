"""The figures of an issue, its copies, and a newsletter's growth as CSV. The audit log has who took them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Coalesce

from core import csv_export
from digests import aftermath, delivery_reasons, growth, permissions, stats, variants
from digests.models import Delivery, Issue
from digests.variant_keys import WITHOUT, VariantKey
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions as rights
from subscribers.models import Newsletter

SEE_ISSUES: Final = "digests.view_issue"
# Addresses leave the desk: the right to export readers, on any of whose lists they may be.
SEE_ADDRESSES: Final = "subscribers.export_readers"
COPIES: Final = ("address", "state", "reason", "at", "language", "variant")
BATCH: Final = 2_000


def figures(*, issue: Issue, actor: AbstractBaseUser | None, now: datetime) -> Iterator[str]:
    """The issue's copies by state, what came back, and the clicks of each link. On failure: PermissionDenied."""
    permissions.require(SEE_ISSUES, user=actor, issue=issue)
    _record(AuditAction.FIGURES_EXPORTED, issue, actor, now)
    progress = stats.progress(issue)
    after = aftermath.of(issue=issue, progress=progress)
    lines: list[Sequence[Any]] = [("what", "which", "people", "machines"), ("audience", "", progress.audience, "")]
    lines += [("copies", state, copies, "") for state, copies in progress.by_state.items()]
    lines += _by_variant(progress, own=variants.own_language(newsletter=issue.newsletter))
    lines += [
        ("reported", "hard_bounce", after.hard_bounces, ""),
        ("reported", "soft_bounce", after.soft_bounces, ""),
        ("reported", "complaint", after.complaints, ""),
        ("unsubscribed", "", "" if after.left is None else after.left, ""),
    ]
    lines += [("clicks", link.url, link.people, link.machines) for link in after.links]
    return csv_export.written(lines)


def copies(*, issue: Issue, actor: AbstractBaseUser | None, now: datetime) -> Iterator[str]:
    """Each copy with its reader's address (empty once erased), row by row. On failure: PermissionDenied."""
    permissions.require(SEE_ADDRESSES, user=actor, issue=issue)
    _record(AuditAction.COPIES_EXPORTED, issue, actor, now)
    rows = Delivery.objects.filter(issue=issue).order_by("pk").values_list(
        "subscriber__address", "state", "reason", "reason_parameters", Coalesce("settled_at", "attempted_at"),
        Coalesce("variant", Value("")),
    )  # fmt: skip
    own = variants.own_language(newsletter=issue.newsletter)
    return csv_export.written(_copy_lines(rows.iterator(chunk_size=BATCH), own))


def of_growth(*, newsletter: Newsletter, actor: AbstractBaseUser | None, now: datetime) -> Iterator[str]:
    """The growth by day, source and reason. On failure: PermissionDenied."""
    rights.require(rights.CHANGE_NEWSLETTER, user=actor, newsletter=newsletter.pk)
    _record(AuditAction.FIGURES_EXPORTED, newsletter, actor, now)
    grown = growth.of(newsletter=newsletter, now=now)
    lines: list[Sequence[Any]] = [("what", "which", "readers"), ("readers", "", grown.readers)]
    for day in grown.days:
        lines += [("won", day.day.isoformat(), day.won), ("lost", day.day.isoformat(), day.lost)]
    lines += [("source", source.name, source.readers) for source in grown.sources]
    lines += [("reason", loss.name, loss.readers) for loss in grown.losses]
    return csv_export.written(lines)


def _copy_lines(rows: Iterable[tuple[Any, ...]], own: str) -> Iterator[Sequence[Any]]:
    yield COPIES
    for address, state, code, parameters, moment, variant in rows:
        language = VariantKey.parse(variant).language or own
        reason = delivery_reasons.CATALOGUE.sentence(code, parameters)
        yield (address or "", state, reason, moment.isoformat(timespec="seconds") if moment else "", language, variant)


def _by_variant(progress: stats.Progress, *, own: str) -> list[Sequence[Any]]:
    """Of each variant the copies by state, if the issue has several."""
    if not progress.has_variants:
        return []
    return [
        (f"copies in {_named(variant, own)}", state, progress.by_variant[variant].get(state, 0), "")
        for variant in sorted(progress.by_variant)
        for state in progress.by_state
    ]


def _named(variant: str, own: str) -> str:
    """Its key, with the language of the issue written out."""
    key = VariantKey.parse(variant)
    return variant if variant == WITHOUT else str(key._replace(language=key.language or own))


@transaction.atomic
def _record(action: AuditAction, target: models.Model, actor: AbstractBaseUser | None, now: datetime) -> None:
    audit.record(action=action, actor=actor, target=target, now=now)
