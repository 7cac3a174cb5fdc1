"""Run the checks, store what they find, and decide what blocks an approval."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _

from digests import freezing, issue_content, readership, rendering
from digests.freezing import Prepared
from digests.models import Issue, Preflight
from digests.preflight import content, findings, history, links, mail, sender, translations
from digests.preflight.findings import Finding, Level
from digests.variant_keys import VariantKey
from publication import languages
from staff import names

# Findings about readers, links and the DNS are asked for again after this, however the content is.
FRESH: Final = timedelta(minutes=5)
# The addresses in the archive have a number that is drawn for each try, and the day is that of the hour.
OF_THE_TRY: Final = frozenset({"web_url", "stories_url", "date"})
ORDER: Final = (Level.ERROR, Level.WARNING, Level.NOTICE)


class Blocked(Exception):
    """Something must be mended first, or a warning was not accepted. The message is a sentence for an editor."""


class Changed(Exception):
    """The issue is not what the page showed any more. The message is a sentence for an editor."""


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of an issue, the worst first, and which warnings a person accepted."""

    findings: list[Finding]
    acknowledged: dict[str, Any]
    checked_at: datetime
    # Of the content that was checked: the page of the approval sends it back.
    fingerprint: str

    def of(self, level: Level) -> list[Finding]:
        """Those of one level."""
        return [one for one in self.findings if one.level == level]

    @property
    def errors(self) -> list[Finding]:
        """What must be mended."""
        return self.of(Level.ERROR)

    @property
    def warnings(self) -> list[Finding]:
        """What a person has to accept."""
        return self.of(Level.WARNING)

    @property
    def notices(self) -> list[Finding]:
        """What is good to know."""
        return self.of(Level.NOTICE)


def report(*, issue: Issue, now: datetime, words: issue_content.IssueContent | None = None) -> Report:
    """What preflight finds in the issue; the stored findings while they are fresh and its content is the same.

    `words` are its content, if the caller has read it already.
    An issue that is not a draft keeps the findings with which it was approved.
    """
    if issue.state != Issue.State.DRAFT:
        return stored(issue=issue, now=now)
    known = Preflight.objects.filter(issue=issue).first()
    spoken = readership.of(issue=issue, now=now).languages
    others = [issue_content.load(issue=issue, now=now, key=VariantKey(one)) for one in spoken]
    fingerprint = _fingerprint(issue, [words or issue_content.load(issue=issue, now=now), *others])
    is_fresh = known is not None and known.fingerprint == fingerprint and now - known.checked_at < FRESH
    if known is not None and is_fresh and not any(row["code"] == "links_pending" for row in known.findings):
        return _shown(known)
    try:
        prepared = freezing.prepare(issue=issue, now=now, looks=True)
    except freezing.NotFrozen as refusal:
        rows = [*content.withdrawn(issue=issue), Finding("not_ready", str(refusal))]
    else:
        rows = list(_run(issue, prepared, now)) if prepared else []
    return _shown(_stored(issue, rows, fingerprint, now))


def stored(*, issue: Issue, now: datetime) -> Report:
    """What is on record, however old; nothing is looked at."""
    return _shown(Preflight.objects.filter(issue=issue).first() or Preflight(issue=issue, checked_at=now))


def check(
    *,
    issue: Issue,
    prepared: Prepared | None,
    actor: AbstractBaseUser | None,
    accepted: Collection[str],
    now: datetime,
    seen: str = "",
) -> Report:
    """Return if the issue may be approved as it was prepared. On failure: Blocked; the findings are stored then, too.

    `accepted` are the keys of the warnings that this person accepts now; they are stored with name and time. A
    command and the clock accept none, and warnings do not stop them. `seen` is the fingerprint of the report that
    the person looked at. On failure: Changed, when the content is another one now.
    """
    fingerprint = _fingerprint(issue, prepared.contents) if prepared else ""
    if seen and prepared and seen != fingerprint:
        raise Changed(_("The issue was changed since you opened this page. Look at it again, then approve it."))
    rows = list(_run(issue, prepared, now)) if prepared else []
    known = _stored(issue, rows, fingerprint, now)
    if actor is not None:
        _acknowledge(known, actor, accepted, now)
    result = _shown(known)
    errors = [one for one in result.errors if one.code not in findings.OF_THE_APPROVAL]
    if errors:
        raise Blocked(" ".join(one.text for one in errors[:3]))
    if actor is not None and (open_ones := [one for one in result.warnings if one.key not in result.acknowledged]):
        sentences = " ".join(one.text for one in open_ones[:3])
        raise Blocked(_("Accept this first, or mend it: %(sentences)s") % {"sentences": sentences})
    return result


def _run(issue: Issue, prepared: Prepared, now: datetime) -> Iterator[Finding]:
    yield from content.withdrawn(issue=issue)
    own = list(_of_text(prepared))
    yield from own
    for one in prepared.languages:
        named = languages.name_of(one.key.language)
        for finding in _of_text(one):
            # What the issue's own text has is said once, and what is only good to know of that text alone.
            if finding not in own and finding.level is not Level.NOTICE:
                yield dataclasses.replace(finding, text=f"{named}: {finding.text}")
    yield from translations.check(prepared=prepared)
    yield from sender.check(issue=issue)
    yield from history.check(issue=issue, prepared=prepared, now=now)


def _of_text(prepared: Prepared) -> Iterator[Finding]:
    """What the words, the mail and the links of one language show."""
    yield from content.check(prepared=prepared)
    yield from mail.check(prepared=prepared)
    yield from links.check(prepared=prepared)


def _acknowledge(stored: Preflight, actor: AbstractBaseUser, accepted: Collection[str], now: datetime) -> None:
    keys = {one.key for one in findings.load(stored.findings) if one.level is Level.WARNING}
    new = (keys & set(accepted)) - set(stored.acknowledged)
    if new:
        mark = {"name": names.of(actor), "user": actor.pk, "at": now.isoformat()}
        stored.acknowledged |= dict.fromkeys(sorted(new), mark)
        stored.save(update_fields=["acknowledged"])


def _stored(issue: Issue, rows: list[Finding], fingerprint: str, now: datetime) -> Preflight:
    unique = list(dict.fromkeys(sorted(rows, key=lambda one: ORDER.index(one.level))))
    values = {"findings": [one.dump() for one in unique], "fingerprint": fingerprint, "checked_at": now}
    stored, _created = Preflight.objects.update_or_create(issue=issue, defaults=values)
    return stored


def _shown(stored: Preflight) -> Report:
    return Report(findings.load(stored.findings), dict(stored.acknowledged), stored.checked_at, stored.fingerprint)


def _fingerprint(issue: Issue, contents: Collection[issue_content.IssueContent]) -> str:
    """Of everything that the findings are about and that an editor can change."""
    try:
        address = str(rendering.sender(issue=issue))
    except rendering.RenderingError as refusal:
        address = str(refusal)
    shown = [
        dataclasses.replace(one, words={name: one.words[name] for name in one.words if name not in OF_THE_TRY})
        for one in contents
    ]
    facts = (shown, address, issue.newsletter.reply_to, issue.scheduled_for)
    return sha256(repr(facts).encode()).hexdigest()
