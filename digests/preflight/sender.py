"""Whether the sender's domain lets us send in its name, and whether replies arrive."""

from __future__ import annotations

from collections.abc import Iterator

from digests import rendering
from digests.models import Issue
from digests.preflight.findings import Finding
from postal import sender_domain
from publication.models import Publication


def check(*, issue: Issue) -> Iterator[Finding]:
    """What the DNS says of the sender (`postal.sender_domain`)."""
    reply_to = issue.newsletter.reply_to or Publication.objects.current().reply_to
    for flaw in sender_domain.flaws(address=rendering.sender(issue=issue).addr_spec, reply_to=reply_to):
        yield Finding(flaw.code, flaw.text)
