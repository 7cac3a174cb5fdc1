"""What is wrong and needs a person: one sentence each, with the page where it is mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from digests.models import Issue
from newsroom import health
from newsroom.desk import standing
from publication import formatting
from publication.models import Publication, SharedCache
from subscribers import permissions, signup_breaker, states
from subscribers.models import Letter, Newsletter

SOON: Final = timedelta(minutes=3)
LATE_LETTER: Final = timedelta(minutes=10)
OF_LATE: Final = timedelta(days=7)
MOST: Final = 5
# A letter's state, or a service's, that needs nobody.
QUIET: Final = health.GOOD


@dataclass(frozen=True, slots=True)
class Fault:
    """A sentence, and the page that helps; empty where there is none."""

    sentence: str
    link: str = ""


def of(*, user: User, publication: Publication, now: datetime) -> list[Fault]:
    """All faults that this person can do something about."""
    faults: list[Fault] = []
    known = standing.current()
    if user.has_perm("digests.send_issue"):
        faults += _issues(now)
        faults += _letters(now)
        faults += _signups(now)
        faults += _rates(user, known)
    if user.has_perm("publication.change_publication"):
        faults += _identity(publication)
        faults += [Fault(_("The record of consent does not hold. %(fault)s") % {"fault": one}) for one in known.record]
    if user.is_superuser or user.has_perm("digests.send_issue"):
        faults += _processes()
        faults += of_caches()
    return faults


def _issues(now: datetime) -> Iterator[Fault]:
    issues = Issue.objects.select_related("newsletter")
    for issue in issues.filter(state=Issue.State.PAUSED).order_by("-pk")[:MOST]:
        yield _about(issue, _("“%(issue)s” is paused. %(reason)s"), reason=issue.reason_sentence)
    late = issues.filter(state=Issue.State.SCHEDULED, scheduled_for__lt=now - SOON) | issues.filter(
        state=Issue.State.SCHEDULED, scheduled_for=None, approved_at__lt=now - SOON
    )
    for issue in late.order_by("-pk")[:MOST]:
        yield _about(issue, _("“%(issue)s” was due and has not begun."))
    doubtful = issues.filter(state=Issue.State.SENT_WITH_EXCEPTIONS, finished_at__gt=now - OF_LATE)
    for issue in doubtful.order_by("-pk")[:MOST]:
        yield _about(issue, _("“%(issue)s” is sent, but not to all: %(reason)s."), reason=issue.reason_sentence)


def _about(issue: Issue, sentence: str, *, reason: str = "") -> Fault:
    words = sentence % {"issue": issue, "reason": reason}
    return Fault(words.strip(), reverse("admin:digests_issue_change", args=[issue.pk]))


def _letters(now: datetime) -> Iterator[Fault]:
    """Letters that should have left; of those that were refused, the last days'."""
    late = Letter.objects.filter(state__in=states.WAITING, due_at__lt=now - LATE_LETTER)[:1_000].count()
    if late:
        sentence = ngettext(
            "%(count)s confirmation or other letter waits for more than ten minutes.",
            "%(count)s confirmations or other letters wait for more than ten minutes.",
            late,
        )
        yield Fault(sentence % {"count": formatting.number(late)})
    refused = Letter.objects.filter(state__in=states.FAILED, settled_at__gt=now - OF_LATE)
    if count := refused.count():
        sentence = ngettext(
            "%(count)s letter to a reader did not arrive in the last seven days.",
            "%(count)s letters to readers did not arrive in the last seven days.",
            count,
        )
        yield Fault(sentence % {"count": formatting.number(count)})


def _signups(now: datetime) -> Iterator[Fault]:
    """While programs seem to sign other people up."""
    if signup_breaker.has_tripped(now=now):
        yield Fault(signup_breaker.look(now=now).sentence)


def _rates(user: User, known: standing.Standing) -> Iterator[Fault]:
    """Of this person's newsletters."""
    mine = permissions.of_newsletters(Newsletter.objects.all(), user=user, field="pk")
    theirs = set(mine.values_list("pk", flat=True)) if known.rates else set()
    for newsletter, name, sentence in known.rates:
        if newsletter in theirs:
            yield Fault(f"{name}: {sentence}", reverse("desk:newsletter", args=[newsletter]))


def _identity(publication: Publication) -> Iterator[Fault]:
    """What no newsletter may leave without."""
    link = reverse("admin:publication_publication_change", args=[publication.pk])
    fields = {field.name: field for field in Publication._meta.concrete_fields}  # noqa: SLF001  # Django documents _meta as public
    address = fields["postal_address"]
    if publication.postal_address.strip() in ("", address.default):
        yield Fault(_("The publication has no postal address. The law asks for it in every newsletter."), link)
    if publication.sender_address == fields["sender_address"].default:
        yield Fault(_("The publication has no sender address, so its mails will be refused."), link)


def of_caches() -> Iterator[Fault]:
    """Shared caches that do not drop what has changed."""
    for cache in SharedCache.objects.filter(failures__gt=0):
        sentence = _("The shared cache “%(cache)s” may show old pages: %(reason)s. It is asked again each minute.")
        yield Fault(sentence % {"cache": cache.name, "reason": cache.reason}, reverse("desk:health"))


def _processes() -> Iterator[Fault]:
    """Beat and workers; their sentences are for those who run the system."""
    for sentence in dict.fromkeys(health.processes().values()):
        if sentence not in QUIET:
            yield Fault(_("Something of this site does not run. Tell the operator: %(fault)s") % {"fault": sentence})
