"""A database of readers and an approved issue for the benchmarks, made in SQL because it is not what is measured."""

from __future__ import annotations

import random
from datetime import timedelta

import django

django.setup()

# The models can only be imported once Django is set up.
from django.core.management import call_command  # noqa: E402  # as above
from django.db import connection  # noqa: E402  # as above
from django.utils import timezone  # noqa: E402  # as above

from digests import freezing  # noqa: E402  # as above
from digests.models import Issue, Snapshot  # noqa: E402  # as above
from digests.sending import preparing  # noqa: E402  # as above
from mailkit import segments  # noqa: E402  # as above
from newsroom import owner  # noqa: E402  # as above
from subscribers.models import Newsletter  # noqa: E402  # as above

HEADERS = [
    ("From", "Block News <news@bench.example.com>"),
    ("To", "%%to%%"),
    ("Subject", "The stories of the day"),
    ("Date", "%%date%%"),
    ("Message-ID", "%%message_id%%"),
    ("List-Unsubscribe", "<%%unsubscribe_url%%>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ("List-Id", "<bench.example.com>"),
]
SLOTS = ("to", "date", "message_id", "unsubscribe_url", "preferences_url")
KILOBYTES = 24

READERS = """
TRUNCATE digests_delivery, digests_snapshot, digests_issue, subscribers_subscription, subscribers_subscriber,
    subscribers_suppression, subscribers_consentevent CASCADE;
INSERT INTO subscribers_subscriber
    (uuid, address, address_key, address_hash, name, language, token_version, tracking_consent, created_at)
SELECT gen_random_uuid(), 'reader' || n || '@bench.example.com', 'reader' || n || '@bench.example.com',
    md5('a' || n) || md5('b' || n), 'Reader ' || n, 'en', 1, false, now()
FROM generate_series(1, {count}) AS n;
INSERT INTO subscribers_consentevent
    (kind, subscriber_uuid, address_hash, newsletter_slug, cadence, documents, form_text, form_text_sha256, form_url,
     locale, source, basis, user_agent_sha256, occurred_at, format, key_id, previous_hash, hash)
SELECT 'confirmed', uuid, address_hash, '{slug}', 'daily', '[]', '', '', '', 'en', 'form', '', '', now(), 2, '',
    md5('p' || id) || md5('q' || id), md5('h' || id) || md5('i' || id)
FROM subscribers_subscriber;
INSERT INTO subscribers_subscription
    (uuid, subscriber_id, newsletter_id, cadence, state, consent_event_id, request_number, requested_at, confirmed_at)
SELECT gen_random_uuid(), reader.id, {newsletter}, 'daily', 'confirmed', event.id, 1, now(), now()
FROM subscribers_subscriber AS reader JOIN subscribers_consentevent AS event ON event.subscriber_uuid = reader.uuid
ORDER BY reader.id;
"""


def create(*, readers: int) -> Newsletter:
    """Empty the database and fill it with one newsletter and `readers` confirmed daily readers."""
    call_command("migrate", verbosity=0)
    newsletter, _ = Newsletter.objects.get_or_create(name="Bench", slug="bench", description="For measuring.")
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute("SET newsroom.allow_truncate = on")
        cursor.execute(READERS.format(count=int(readers), newsletter=newsletter.pk, slug=newsletter.slug))
        cursor.execute("VACUUM ANALYZE subscribers_subscriber, subscribers_subscription, subscribers_consentevent")
        cursor.execute("VACUUM ANALYZE digests_delivery")
    return newsletter


def approved_issue(newsletter: Newsletter) -> Issue:
    """An approved issue of about KILOBYTES that is due now."""
    now = timezone.now() - timedelta(seconds=1)
    number = (Issue.objects.count() or 0) + 1
    issue = Issue.objects.create(
        newsletter=newsletter,
        kind=Issue.Kind.DIGEST,
        cadence="daily",
        period_key=f"bench-{number}",
        number=number,
        subject="The stories of the day",
        state=Issue.State.SCHEDULED,
        approved_at=now,
        scheduled_for=now,
    )
    text, html = _bodies()
    compiled = segments.compile(headers=HEADERS, text=text, html=html, slots=SLOTS)
    snapshot = Snapshot(
        issue=issue,
        subject=issue.subject,
        html=html,
        text=text,
        headers=[list(pair) for pair in HEADERS],
        compiled=compiled.dump(),
        audience_rule={},
    )
    snapshot.sha256 = freezing.fingerprint(snapshot=snapshot)
    snapshot.save()
    return issue


def planned_issue(newsletter: Newsletter) -> Issue:
    """An issue with its deliveries planned, so that lanes may claim at once."""
    issue = approved_issue(newsletter)
    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    return issue


def example_copy(issue: Issue) -> bytes:
    """One copy, for the anchor to send."""
    values = dict.fromkeys(SLOTS, "https://bench.example.com/unsubscribe/" + "x" * 90)
    values |= {
        "to": "reader1@bench.example.com",
        "message_id": "<1@bench.example.com>",
        "date": "Thu, 01 Jan 2026 00:00:00 +0000",
    }
    return segments.CompiledMessage.load(issue.snapshot.compiled).render(values)


def _bodies() -> tuple[str, str]:
    words = "the reserve of the country holds coins and gold that its bank counts each evening".split()
    chosen = random.Random(1)  # noqa: S311  # the same text in every run
    prose = " ".join(chosen.choice(words) for _ in range(2_600))
    text = f"Good morning.\n\n{prose[: KILOBYTES * 250]}\n\n%%preferences_url%%\n%%unsubscribe_url%%\n"
    html = (
        f'<html><body><p style="margin:0">Good morning.</p><p>{prose[: KILOBYTES * 600]}</p>'
        '<p><a href="%%preferences_url%%">Preferences</a> <a href="%%unsubscribe_url%%">Leave</a></p></body></html>'
    )
    return text, html
