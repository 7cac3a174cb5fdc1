"""What is known of the links of a mail. The worker looks them up; nothing is fetched here."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from core import link_check, tasks
from core.link_check import Verdict
from digests.freezing import Prepared
from digests.preflight import mail
from digests.preflight.findings import Finding, finding


def check(*, prepared: Prepared) -> Iterator[Finding]:
    """Links that lead nowhere, and how many are still to be looked up."""
    urls = [url for url in link_check.links_in(prepared.snapshot.html) if _is_elsewhere(url)]
    pending = 0
    for link in tasks.links(urls=urls):
        match link.verdict:
            case Verdict.DEAD:
                yield finding("dead_link", _("There is no page at %(url)s."), url=link.url)
            case Verdict.REFUSED:
                text = _("Readers cannot open %(url)s: it is a test or an inner address.")
                yield finding("private_link", text, url=link.url)
            case Verdict.DOUBTFUL:
                yield finding("doubtful_link", _("%(url)s did not answer. Open it yourself."), url=link.url)
            case Verdict.PENDING:
                pending += 1
    if pending:
        yield finding("links_pending", _("Links that are still being looked up: %(count)s."), count=pending)


def _is_elsewhere(url: str) -> bool:
    return not mail.is_own(url) and not mail.is_private(url)
