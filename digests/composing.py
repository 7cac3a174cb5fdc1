"""Compose issues: one issue per period, and each article in one digest of its series.

A series is a newsletter's issues of one kind and cadence. Its windows touch: each starts where the one before
ended, so an article is in exactly one of them, however irregular the ticks are.

Publishing waits only for the lock under which a window is closed. A closed window gets no more articles, so they
are selected under the lock of their own series. Approving renders the issue and holds no lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from articles import publishing
from articles.models import Article
from core import database_clock
from core.reasons import Reason
from digests import approval, calendar, freezing, issue_reasons, runs, second_person, series
from digests.issue_reasons import IssueReason
from digests.models import Issue, IssueItem
from digests.preflight import checking
from subscribers import cadences, schedules
from subscribers.models import Cadence, CadenceOffer, Newsletter
from subscribers.schedules import Period

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_000
EMPTY = IssueReason.NOTHING_PUBLISHED
STALE = IssueReason.RUN_TOO_LATE


class ComposingError(Exception):
    """The issue cannot be composed, or not with this article. The message is a sentence for an editor."""


class NotOffered(ComposingError):
    """The newsletter does not offer this cadence."""


class NothingYet(ComposingError):
    """The requested time is in the future, and nothing has been published for it so far."""


class NothingNew(ComposingError):
    """Nothing was published since the previous digest."""


class Mismatch(ComposingError):
    """The article may not be in this issue."""


def compose_due(*, now: datetime, approve: bool = True) -> list[Issue]:
    """The scheduler's work: compose each digest that is due and each instant issue; returns the new issues.

    A late, early or repeated call is harmless. A newsletter that cannot be composed never stops the others.
    Without `approve`, newsletters with automatic approval are approved by the next call.
    """
    now = database_clock.not_ahead(moment=now)
    composed = []
    for offer in calendar.due(now=now):
        with _others_go_on(offer.newsletter):
            composed += _gather_due(offer, now)
    composed += _gather_instant(now)
    if approve:
        approve_waiting(now=now)
    return _refreshed(composed)


def approve_waiting(*, now: datetime) -> None:
    """Approve the drafts of newsletters with automatic approval.

    A refusal leaves a draft with the reason. Composing and approving are two steps. If a process dies between
    them, the next tick approves here what it left.
    """
    waiting = Issue.objects.filter(state=Issue.State.DRAFT, approves_itself=True)
    for issue in waiting.select_related("newsletter").order_by("pk"):
        with _others_go_on(issue.newsletter):
            _approve(issue, now)


def compose(*, newsletter: Newsletter, cadence: str, period_key: str, window_end: datetime, now: datetime) -> Issue:
    """The digest of this period, composed if there is none yet. A repeated call returns the same issue.

    After: a draft with the articles of (end of the previous issue, window_end], approved if the newsletter has
    automatic approval; or a cancelled issue with the reason, if nothing was published or the run is too late.
    On failure: NotOffered.
    """
    now = database_clock.not_ahead(moment=now)
    stale = calendar.is_stale(cadence=cadence, runs_at=window_end, now=now)
    run = Period(key=period_key, runs_at=window_end)
    return _approved(_gather(newsletter, cadence, run=run, end=window_end, now=now, stale=stale), now)


def compose_new(*, newsletter: Newsletter, cadence: str, actor: AbstractBaseUser, now: datetime) -> Issue:
    """As `compose_now`, for a person at a page: an empty digest leaves no row, and another one is theirs.

    On failure: NothingNew if nothing was published since. A second click has the same result.
    """

    def refuse(issue: Issue) -> ComposingError:
        if _last_is_draft(issue):
            return NothingNew(_("Nothing was published since the previous digest, which is still a draft."))
        return NothingNew(_("Nothing was published since the previous digest."))

    issue = _by_hand(newsletter, cadence, now, refuse)
    second_person.edited(issue=issue, actor=actor)
    return issue


def compose_now(*, newsletter: Newsletter, cadence: str, now: datetime) -> Issue:
    """A digest by hand of everything since the previous issue, beside the scheduled runs.

    It remains a draft for the person who composed it, even if the newsletter approves automatically. Its period
    key is the current instant, so it never replaces the scheduled run of that day. It moves the window of the
    series, so the next scheduled digest starts where this one ends.
    """
    return _by_hand(newsletter, cadence, now, None)


def compose_as_of(*, newsletter: Newsletter, cadence: str, at: datetime, now: datetime) -> Issue:
    """The digest of the period that contains `at`, with the period key of the scheduled run.

    Its window ends at `at`, or now if `at` is in the future, so that an article published later is in the next
    digest. If the period already has an issue, that one is returned. On failure: NothingYet if that time is in
    the future and there is no article for it. An empty issue would keep the scheduler from composing the period.
    """
    now = database_clock.not_ahead(moment=now)
    run = schedules.period(offer=_digest_offer(newsletter, cadence), at=at)

    def refuse(_issue: Issue) -> ComposingError:
        return NothingYet(_("No story was published for that time yet. Compose it when there is one."))

    issue = _gather(newsletter, cadence, run=run, end=min(at, now), now=now, refuse=refuse if at > now else None)
    return _approved(issue, now)


def compose_article_issue(*, newsletter: Newsletter, article: Article, now: datetime) -> Issue:
    """The issue of one article for the readers of the instant cadence, composed at most once.

    On failure: NotOffered if the newsletter has no instant cadence, Mismatch if the article is not public or was
    published before the cadence was offered.
    """
    offer = _offer(newsletter, Cadence.INSTANT)
    released = article.first_published_at
    if not article.is_public or released is None or released <= offer.active_since:
        raise Mismatch(_("Only a public story that came after the cadence was offered is sent at once."))
    now = database_clock.not_ahead(moment=now)
    return _approved(_gather_article(newsletter, article, released, now), now)


def compose_instant(*, now: datetime) -> list[Issue]:
    """Compose an issue for each article that readers of an instant cadence have not had; returns the new issues.

    Articles older than the cadence's largest delay are skipped: nobody wants yesterday's news "at once".
    """
    now = database_clock.not_ahead(moment=now)
    composed = _gather_instant(now)
    approve_waiting(now=now)
    return _refreshed(composed)


def check_story(*, issue: Issue, article: Article) -> None:
    """Return if the article may be in the draft. On failure: Mismatch.

    It must be public, and in no other issue for the same readers.
    """
    if not article.is_public:
        raise Mismatch(_("“%(article)s” is not public. Publish it first, or leave it out.") % {"article": article})
    if IssueItem.objects.filter(article=article, included=True, issue__in=series.other_issues(issue=issue)).exists():
        raise Mismatch(
            _("“%(article)s” is already in another issue for the same readers. Leave it out of one.")
            % {"article": article}
        )


def is_editable(*, issue: Issue) -> bool:
    """True while an editor may change the issue."""
    return issue.state == Issue.State.DRAFT


def _by_hand(
    newsletter: Newsletter, cadence: str, now: datetime, refuse: Callable[[Issue], ComposingError] | None
) -> Issue:
    now = database_clock.not_ahead(moment=now)
    key = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return _gather(newsletter, cadence, run=Period(key=key, runs_at=now), end=now, now=now, by_hand=True, refuse=refuse)


def _gather(
    newsletter: Newsletter,
    cadence: str,
    *,
    run: Period,
    end: datetime,
    now: datetime,
    stale: bool = False,
    by_hand: bool = False,
    refuse: Callable[[Issue], ComposingError] | None = None,
) -> Issue:
    """The digest of this run, with its articles if it is new. `refuse` makes the error for a new one without any."""
    offer = _digest_offer(newsletter, cadence)
    end = publishing.close_window(end=end)
    with transaction.atomic():
        issue, created = _compose_run(runs.lock(offer=offer), run, end, now, stale=stale, by_hand=by_hand)
        if created and refuse is not None and issue.state == Issue.State.CANCELLED:
            raise refuse(issue)
    return issue


def _gather_due(offer: CadenceOffer, now: datetime) -> list[Issue]:
    """Compose the digest of the offer's latest run, and record the runs that were missed."""
    run = calendar.due_runs(offer=offer, now=now).run
    end = publishing.close_window(end=run.runs_at) if run else now
    with transaction.atomic():
        offer = runs.lock(offer=offer)
        due = calendar.due_runs(offer=offer, now=now)
        if due.run != run:
            return []  # another process composed it, or the schedule was changed just now
        runs.record_missed(offer=offer, due=due, now=now)
        if run is None or runs.is_covered(offer=offer, run=run):
            return []
        run = runs.with_free_key(offer=offer, run=run)
        stale = calendar.is_stale(cadence=offer.cadence, runs_at=run.runs_at, now=now)
        issue, _ = _compose_run(offer, run, end, now, stale=stale, by_hand=False)
    return [issue]


def _compose_run(
    offer: CadenceOffer, run: Period, end: datetime, now: datetime, *, stale: bool, by_hand: bool
) -> tuple[Issue, bool]:
    """The digest of the run, and whether it is new. The caller holds the lock of the offer."""
    issue, created = _insert(
        newsletter=offer.newsletter,
        kind=Issue.Kind.DIGEST,
        cadence=offer.cadence,
        period_key=run.key,
        window_end=end,
        now=now,
        runs_at=None if by_hand else run.runs_at,
    )
    if created:
        _fill(issue, offer=offer, now=now, stale=stale, by_hand=by_hand)
        _let_approve(issue, by_hand=by_hand)
        runs.mark(offer=offer, issue=issue, now=now)
    return issue, created


def _gather_article(newsletter: Newsletter, article: Article, released: datetime, now: datetime) -> Issue:
    with transaction.atomic():
        issue, created = _insert(
            newsletter=newsletter,
            kind=Issue.Kind.ARTICLE,
            cadence=Cadence.INSTANT,
            period_key=f"article-{article.pk}",
            window_end=released,
            now=now,
        )
        if created:
            IssueItem.objects.create(issue=issue, article=article)
            _let_approve(issue, by_hand=False)
    return issue


def _gather_instant(now: datetime) -> list[Issue]:
    composed = []
    oldest = now - calendar.max_staleness(cadence=Cadence.INSTANT)
    for offer in CadenceOffer.objects.filter(is_active=True, cadence=Cadence.INSTANT).select_related("newsletter"):
        start = max(oldest, offer.active_since)
        stories = (
            series.stories_of(newsletter=offer.newsletter, start=start, end=now).news().only("pk", "first_published_at")
        )
        keys = {f"article-{story.pk}": story for story in stories}
        issues = Issue.objects.filter(newsletter=offer.newsletter, kind=Issue.Kind.ARTICLE, period_key__in=keys)
        known = set(issues.values_list("period_key", flat=True))
        for story in [story for key, story in keys.items() if key not in known]:
            with _others_go_on(offer.newsletter):
                composed.append(_gather_article(offer.newsletter, story, story.first_published_at or now, now))
    return composed


@contextmanager
def _others_go_on(newsletter: Newsletter) -> Iterator[None]:
    """Log an error of one newsletter and go on with the others."""
    try:
        yield
    except Exception:
        log.exception("newsletter %s: an issue could not be composed", newsletter.pk)


def _insert(
    *,
    newsletter: Newsletter,
    kind: Issue.Kind,
    cadence: str,
    period_key: str,
    window_end: datetime,
    now: datetime,
    runs_at: datetime | None = None,
) -> tuple[Issue, bool]:
    """INSERT ... ON CONFLICT DO NOTHING: the issue with this key, and whether it is new."""
    identity = {"newsletter": newsletter, "kind": kind, "cadence": cadence, "period_key": period_key}
    new = Issue(**identity, window_end=window_end, runs_at=runs_at, created_at=now)
    Issue.objects.bulk_create([new], ignore_conflicts=True)
    issue = Issue.objects.select_related("newsletter").get(**identity)
    return issue, issue.uuid == new.uuid


def _fill(issue: Issue, *, offer: CadenceOffer, now: datetime, stale: bool, by_hand: bool) -> None:
    """Set the window and articles of a new digest, or record why there is nothing to send.

    Scheduled digests have news only. A digest by hand also has imported archive articles.
    """
    end = issue.window_end or now
    issue.window_start = min(series.end(issue=issue) or offer.active_since, end)
    taken = IssueItem.objects.filter(included=True, issue__in=series.other_issues(issue=issue)).values("article")
    fresh = series.stories_of(newsletter=issue.newsletter, start=issue.window_start, end=end).exclude(pk__in=taken)
    fresh = fresh if by_hand else fresh.news()
    stories = [*series.missed_stories(issue=issue, offer=offer, now=now), *fresh.values_list("pk", flat=True)]
    if stale or not stories:
        issue.state = Issue.State.CANCELLED
        issue_reasons.set_reason(issue, STALE if stale else EMPTY)
    issue.save(update_fields=["window_start", "state", *issue_reasons.FIELDS, "updated_at"])
    if issue.state == Issue.State.CANCELLED:
        return
    # The newest story leads until an editor says otherwise.
    items = (IssueItem(issue=issue, article_id=story, position=at) for at, story in enumerate(reversed(stories)))
    IssueItem.objects.bulk_create(items, batch_size=ROWS_AT_ONCE)


def _last_is_draft(issue: Issue) -> bool:
    """Whether the last digest of the series is a draft: the articles that the person expects are in it."""
    last = series.other_issues(issue=issue).order_by("-window_end").first()
    return last is not None and last.state == Issue.State.DRAFT


def _let_approve(issue: Issue, *, by_hand: bool) -> None:
    """Mark a new draft for automatic approval, if its newsletter has that."""
    if issue.newsletter.auto_approve and not by_hand and issue.state == Issue.State.DRAFT:
        issue.approves_itself = True
        issue.save(update_fields=["approves_itself", "updated_at"])


def _approved(issue: Issue, now: datetime) -> Issue:
    """The issue, approved if it is marked for automatic approval."""
    if issue.approves_itself:
        _approve(issue, now)
        issue.refresh_from_db()
    return issue


def _approve(issue: Issue, now: datetime) -> None:
    """Approve without a person. If that is refused, leave a draft with the reason."""
    try:
        approval.approve(issue=issue, actor=None, now=now)
    except approval.NotAllowed:
        return  # somebody else approved or cancelled it in the meantime
    except freezing.Busy:
        return  # an editor is changing it; the next tick tries again
    except (freezing.NotFrozen, checking.Blocked) as refusal:
        waiting = Issue.objects.filter(pk=issue.pk, state=Issue.State.DRAFT)
        why = Reason(IssueReason.NOT_FROZEN, {"text": str(refusal)})
        waiting.update(approves_itself=False, **issue_reasons.columns(why))


def _refreshed(issues: list[Issue]) -> list[Issue]:
    """The issues, read again after the approval."""
    for issue in issues:
        issue.refresh_from_db()
    return issues


def _digest_offer(newsletter: Newsletter, cadence: str) -> CadenceOffer:
    if cadence == Cadence.INSTANT:
        names = cadences.names_of_digests()
        raise NotOffered(
            _("Digests are %(names)s; with “instant” each story is sent when it is published.") % {"names": names}
        )
    return _offer(newsletter, cadence)


def _offer(newsletter: Newsletter, cadence: str) -> CadenceOffer:
    offers = {offer.cadence: offer for offer in newsletter.offers.filter(is_active=True)}
    if cadence not in offers:
        known = ", ".join(sorted(offers)) or _("no cadence yet")
        raise NotOffered(
            _("%(newsletter)s does not offer “%(cadence)s”; it offers %(known)s.")
            % {"newsletter": newsletter, "cadence": cadence, "known": known}
        )
    return offers[cadence]
