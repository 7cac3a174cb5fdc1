"""Which stories an issue holds: one issue per period, each story in one digest of its line.

A line is a newsletter's issues of one kind and cadence. Windows of a line touch: each starts where the
one before ended, so a story is in exactly one of them, whatever the clock did.

The lock that publishing waits for is held only while a window is closed. The stories of a closed window
cannot become more, so they are gathered under the lock of their own line, and approving, which renders
the issue, holds no lock at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from articles import publishing
from articles.models import Article
from core import database_clock
from core.reasons import Reason
from digests import approval, calendar, freezing, issue_reasons, runs, series
from digests.issue_reasons import IssueReason
from digests.models import Issue, IssueItem
from subscribers import cadences, schedules
from subscribers.models import Cadence, CadenceOffer, Newsletter
from subscribers.schedules import Period

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 2_000
EMPTY = IssueReason.NOTHING_PUBLISHED
STALE = IssueReason.RUN_TOO_LATE


class ComposingError(Exception):
    """The issue cannot be composed, or not with this story; the message is a sentence for an editor."""


class NotOffered(ComposingError):
    """The newsletter does not offer this cadence."""


class NothingYet(ComposingError):
    """The time asked for is still to come, and nothing was published for it so far."""


class NothingNew(ComposingError):
    """Nothing was published since the digest before."""


class Mismatch(ComposingError):
    """The story may not stand in this issue."""


def compose_due(*, now: datetime, approve: bool = True) -> list[Issue]:
    """What the clock does: every digest that is due, and every story that is owed at once; the new issues.

    Harmless when late, early or doubled. One newsletter that cannot be composed never stops the others.
    Without `approve`, what newsletters approve by themselves waits for the next call.
    """
    now = database_clock.not_ahead(moment=now)
    composed = []
    for offer in calendar.due(now=now):
        with _others_go_on(offer.newsletter):
            composed += _gather_owed(offer, now)
    composed += _gather_instant(now)
    if approve:
        approve_waiting(now=now)
    return _refreshed(composed)


def approve_waiting(*, now: datetime) -> None:
    """Approve what was composed for newsletters that wait for nobody.

    A refusal leaves a draft with the reason. Composing and approving are two steps: what a process that
    died between them left behind is found here, a minute later.
    """
    waiting = Issue.objects.filter(state=Issue.State.DRAFT, approves_itself=True)
    for issue in waiting.select_related("newsletter").order_by("pk"):
        with _others_go_on(issue.newsletter):
            _approve(issue, now)


def compose(*, newsletter: Newsletter, cadence: str, period_key: str, window_end: datetime, now: datetime) -> Issue:
    """The digest of this period, made when there is none yet; whoever asks again gets the same issue.

    After: an issue in state draft with the stories of (end of the issue before, window_end], approved if
    the newsletter says so; or a cancelled issue with the reason, when nothing was published or the run
    is too late. On failure: NotOffered.
    """
    now = database_clock.not_ahead(moment=now)
    stale = calendar.is_stale(cadence=cadence, runs_at=window_end, now=now)
    run = Period(key=period_key, runs_at=window_end)
    return _approved(_gather(newsletter, cadence, run=run, end=window_end, now=now, stale=stale), now)


def compose_new(*, newsletter: Newsletter, cadence: str, now: datetime) -> Issue:
    """As `compose_now`, for somebody at a page: an empty digest leaves nothing behind.

    On failure: NothingNew when nothing was published since, which is also what a second click finds.
    """

    def refuse(issue: Issue) -> ComposingError:
        return NothingNew(f"Nothing was published since the digest before{_last_draft(issue)}.")

    return _by_hand(newsletter, cadence, now, refuse)


def compose_now(*, newsletter: Newsletter, cadence: str, now: datetime) -> Issue:
    """A digest by hand of everything since the issue before, beside the clock's runs.

    It waits as a draft for whoever asked for it, also where the clock's digests approve themselves.
    Its period key is the instant itself, so it never takes the place of the clock's run of that day; it
    moves the window of the line on, so the clock's next digest starts where this one ends.
    """
    return _by_hand(newsletter, cadence, now, None)


def compose_as_of(*, newsletter: Newsletter, cadence: str, at: datetime, now: datetime) -> Issue:
    """The digest of the period that contains `at`, under the key that the clock uses for it.

    Its window ends at `at`, or now when `at` lies in the future: a story that is published later must
    stay free for the digest after. If the period has its issue already, that issue is returned. On
    failure: NothingYet when that time is to come and there is no story for it: a period that is written
    off as empty before it is over would keep the clock from composing it.
    """
    now = database_clock.not_ahead(moment=now)
    run = schedules.period(offer=_digest_offer(newsletter, cadence), at=at)

    def refuse(_issue: Issue) -> ComposingError:
        return NothingYet("No story was published for that time yet. Compose it when there is one.")

    issue = _gather(newsletter, cadence, run=run, end=min(at, now), now=now, refuse=refuse if at > now else None)
    return _approved(issue, now)


def compose_article_issue(*, newsletter: Newsletter, article: Article, now: datetime) -> Issue:
    """The issue that brings one story to the readers who want each story at once; made at most once.

    On failure: NotOffered when the newsletter has no such cadence, Mismatch when the story is not public
    or was published before the cadence was offered.
    """
    offer = _offer(newsletter, Cadence.INSTANT)
    released = article.first_published_at
    if not article.is_public or released is None or released <= offer.active_since:
        raise Mismatch(_("Only a public story that came after the cadence was offered is sent at once."))
    now = database_clock.not_ahead(moment=now)
    return _approved(_gather_article(newsletter, article, released, now), now)


def compose_instant(*, now: datetime) -> list[Issue]:
    """An issue for each story that an instant cadence still owes its readers; returns the new issues.

    Stories older than the cadence's largest delay are left: nobody wants yesterday's news "at once".
    """
    now = database_clock.not_ahead(moment=now)
    composed = _gather_instant(now)
    approve_waiting(now=now)
    return _refreshed(composed)


def check_story(*, issue: Issue, article: Article) -> None:
    """Return when the story may stand in the draft. On failure: Mismatch.

    It must be public, and stand in no other issue for the same readers.
    """
    if not article.is_public:
        raise Mismatch(_("“%(article)s” is not public. Publish it first, or leave it out.") % {"article": article})
    if IssueItem.objects.filter(article=article, included=True, issue__in=series.other_issues(issue=issue)).exists():
        raise Mismatch(
            _("“%(article)s” stands in another issue for the same readers already. Leave it out of one.")
            % {"article": article}
        )


def is_editable(*, issue: Issue) -> bool:
    """True while an editor may still change what stands in the issue."""
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
    """The digest with the key of this run, with its stories if it is made here.

    `refuse` has the error for one without any.
    """
    offer = _digest_offer(newsletter, cadence)
    end = publishing.close_window(end=end)
    with transaction.atomic():
        issue, created = _compose_run(runs.lock(offer=offer), run, end, now, stale=stale, by_hand=by_hand)
        if created and refuse is not None and issue.state == Issue.State.CANCELLED:
            raise refuse(issue)
    return issue


def _gather_owed(offer: CadenceOffer, now: datetime) -> list[Issue]:
    """What the clock owes of the offer: the digest of its latest run, and a row for each run that went by unseen."""
    run = calendar.owed(offer=offer, now=now).run
    end = publishing.close_window(end=run.runs_at) if run else now
    with transaction.atomic():
        offer = runs.lock(offer=offer)
        owed = calendar.owed(offer=offer, now=now)
        if owed.run != run:
            return []  # another process made it, or the schedule was changed just now
        runs.record_unseen(offer=offer, owed=owed, now=now)
        if run is None or runs.had(offer=offer, run=run):
            return []
        run = runs.with_free_key(offer=offer, run=run)
        stale = calendar.is_stale(cadence=offer.cadence, runs_at=run.runs_at, now=now)
        issue, _ = _compose_run(offer, run, end, now, stale=stale, by_hand=False)
    return [issue]


def _compose_run(
    offer: CadenceOffer, run: Period, end: datetime, now: datetime, *, stale: bool, by_hand: bool
) -> tuple[Issue, bool]:
    """The digest of the run, and whether it was made here. The caller holds the lock of the offer."""
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
    """Whatever is wrong with one newsletter is logged and keeps no other from its digest."""
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
    """INSERT ... ON CONFLICT DO NOTHING: the issue of this key, and whether it was made here."""
    identity = {"newsletter": newsletter, "kind": kind, "cadence": cadence, "period_key": period_key}
    new = Issue(**identity, window_end=window_end, runs_at=runs_at, created_at=now)
    Issue.objects.bulk_create([new], ignore_conflicts=True)
    issue = Issue.objects.select_related("newsletter").get(**identity)
    return issue, issue.uuid == new.uuid


def _fill(issue: Issue, *, offer: CadenceOffer, now: datetime, stale: bool, by_hand: bool) -> None:
    """Give a new digest its window and stories, or record why there is nothing to send.

    The clock takes news only; an editor who composes by hand is shown the archive that moved in as well.
    """
    end = issue.window_end or now
    issue.window_start = min(series.end(issue=issue) or offer.active_since, end)
    taken = IssueItem.objects.filter(included=True, issue__in=series.other_issues(issue=issue)).values("article")
    fresh = series.stories_of(newsletter=issue.newsletter, start=issue.window_start, end=end).exclude(pk__in=taken)
    fresh = fresh if by_hand else fresh.news()
    stories = [*series.missed_stories(issue=issue, offer=offer, now=now), *fresh.values_list("pk", flat=True)]
    if stale or not stories:
        issue.state = Issue.State.CANCELLED
        issue_reasons.give(issue, STALE if stale else EMPTY)
    issue.save(update_fields=["window_start", "state", *issue_reasons.FIELDS, "updated_at"])
    if issue.state == Issue.State.CANCELLED:
        return
    # The newest story leads until an editor says otherwise.
    places = (IssueItem(issue=issue, article_id=story, position=at) for at, story in enumerate(reversed(stories)))
    IssueItem.objects.bulk_create(places, batch_size=ROWS_AT_ONCE)


def _last_draft(issue: Issue) -> str:
    """Where the stories are that somebody looks for: in the newest digest of the line, if that is still a draft."""
    last = series.other_issues(issue=issue).order_by("-window_end").first()
    return ", which is still a draft" if last is not None and last.state == Issue.State.DRAFT else ""


def _let_approve(issue: Issue, *, by_hand: bool) -> None:
    """Say of a new draft whether it is approved without a person."""
    if issue.newsletter.auto_approve and not by_hand and issue.state == Issue.State.DRAFT:
        issue.approves_itself = True
        issue.save(update_fields=["approves_itself", "updated_at"])


def _approved(issue: Issue, now: datetime) -> Issue:
    """The issue, approved if it approves itself."""
    if issue.approves_itself:
        _approve(issue, now)
        issue.refresh_from_db()
    return issue


def _approve(issue: Issue, now: datetime) -> None:
    """Approve without a person; if that is refused, leave a draft that says why."""
    try:
        approval.approve(issue=issue, actor=None, now=now)
    except approval.NotAllowed:
        return  # somebody else approved or cancelled it meanwhile
    except freezing.Busy:
        return  # an editor is at it; the next tick tries again
    except freezing.NotFrozen as refusal:
        waiting = Issue.objects.filter(pk=issue.pk, state=Issue.State.DRAFT)
        why = Reason(IssueReason.NOT_FROZEN, {"text": str(refusal)})
        waiting.update(approves_itself=False, **issue_reasons.columns(why))


def _refreshed(issues: list[Issue]) -> list[Issue]:
    """The issues as they are after the approval."""
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
        known = ", ".join(sorted(offers)) or "no cadence yet"
        raise NotOffered(
            _("%(newsletter)s does not offer “%(cadence)s”; it offers %(known)s.")
            % {"newsletter": newsletter, "cadence": cadence, "known": known}
        )
    return offers[cadence]
