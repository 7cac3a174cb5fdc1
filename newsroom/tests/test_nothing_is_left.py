"""A reader who was in every corner of the site is erased, and the whole database and Redis are searched for them."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as configured
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from core import database_clock
from digests import approval, composing
from digests.feedback import ingestion, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.sending import history, lanes, preparing
from digests.tests import copies
from mailkit import addresses
from postal import config
from publication import groups
from subscribers import (
    address_change,
    import_jobs,
    links,
    preferences,
    reminders,
    signup,
    suppression,
    tasks,
)
from subscribers.address_change_model import End
from subscribers.letters import send
from subscribers.models import (
    AddressChange,
    Cadence,
    ImportJob,
    LegalVersion,
    Newsletter,
    PreferenceChange,
    Reminder,
    Subscriber,
    Suppression,
)
from tests import written
from tests.cast import BOB, Publish, account, ask, confirmed, evidence, make_newsletter
from tests.faults import smtp_server

pytestmark = pytest.mark.django_db

# Words that nothing else has; she had the first address before the second.
FORMER, ADDRESS, WISHED = "perdita.quill@inkwell.org", "Perdita.Q@Inkwell.org", "quill.next@inkwell.org"
NAME, IP = "Perdita Quillfeather", "203.0.113.199"
LIST = f"email,name\n{ADDRESS},{NAME}\n{BOB},Bob\n"
TABLES = """
SELECT c.oid::regclass::text, array_agg(a.attname::text) FILTER (WHERE a.atttypid = 'bytea'::regtype)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY c.oid
"""


def traces() -> set[str]:
    """All that would tell a stranger who she is: also hashes that anybody can make of a list of addresses."""
    spellings = {FORMER, ADDRESS, ADDRESS.lower(), WISHED}
    hashes = {hashlib.new(name, one.encode()).hexdigest() for one in spellings for name in ("md5", "sha1", "sha256")}
    return {*(one.lower() for one in spellings), "quillfeather", "perdita", "inkwell", IP, *hashes}


def stored_in_rows() -> Iterator[tuple[str, str]]:
    """Every row of every table as text, and what is packed in it."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        for table, packed in cursor.fetchall():
            cursor.execute(f"SELECT t::text FROM {table} AS t")  # noqa: S608  # a name from the catalogue
            yield from ((table, row) for (row,) in cursor.fetchall())
            for column in packed or []:
                cursor.execute(f"SELECT {column} FROM {table}")  # noqa: S608  # as above
                yield from ((f"{table}.{column}", unpacked(bytes(row))) for (row,) in cursor.fetchall() if row)


def stored_in_redis() -> Iterator[tuple[str, str]]:
    """Every key with its value: counters, caches, queued work."""
    for url in {configured.REDIS_URL, configured.CACHE_URL}:
        client = redis.Redis.from_url(url)
        yield from written.redis_texts(client)


def unpacked(content: bytes) -> str:
    for unpack in (gzip.decompress, zlib.decompress):
        try:
            return unpack(content).decode("utf-8", "replace")
        except (OSError, zlib.error):
            continue
    return content.decode("utf-8", "replace")


def traces_found() -> set[tuple[str, str]]:
    """Where which trace of her is."""
    stored = [*stored_in_rows(), *stored_in_redis()]
    return {(place, trace) for place, text in stored for trace in traces() if trace in text.lower()}


def places() -> set[str]:
    return {place for place, _ in traces_found()}


def upload(newsletter: Newsletter) -> ImportJob:
    chief = account(f"chief{ImportJob.objects.count()}", groups.PUBLISHER)
    job = import_jobs.upload(
        file=SimpleUploadedFile("readers.csv", LIST.encode()), newsletter=newsletter, cadence="daily",
        basis="Paper forms at the fair", everybody="", actor=chief, now=timezone.now(),
    )  # fmt: skip
    import_jobs.work(job_id=job.pk)
    return job


def sent(newsletter: Newsletter, publish: Publish, settings: Any, *rules: dict[str, str]) -> Issue:
    """A digest that a mail server got, or refused as the rules say."""
    publish(f"Story {Issue.objects.count()}", timezone.now() - timedelta(minutes=2))
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
    settings.EMAIL_TRANSPORT, settings.RELAYS = "smtp", []
    approval.approve(issue=issue, actor=None, now=timezone.now())
    with smtp_server.running({"rules": list(rules)}) as server:
        settings.SMTP = config.MailServer("127.0.0.1", server.port)
        assert preparing.prepare(issue_id=issue.pk, now=database_clock.now())
        lanes.run(issue_id=issue.pk, lane=0)
    return issue


def she_signs_up(newsletter: Newsletter) -> Subscriber:
    """Sign-up, letters, a reminder, a change of address and one that is not done, an import, choices."""
    browser = Client(headers={"x-forwarded-for": IP}, REMOTE_ADDR=IP)
    browser.post("/subscribe/", {"address": FORMER})
    browser.post("/preferences/", {"address": FORMER})
    unconfirmed = make_newsletter("Second", slug="second", position=2)
    ask(FORMER, unconfirmed, now=timezone.now() - timedelta(days=2))
    send.sweep(clock=timezone.now)
    Subscriber.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert reminders.queue_due(now=timezone.now()) == 1
    confirmed(FORMER, newsletter)
    reader = Subscriber.objects.get(address_key=FORMER)
    address_change.ask(subscriber=reader, address=addresses.normalise(ADDRESS), now=timezone.now())
    change = AddressChange.objects.get(subscriber=reader)
    for end in End:
        token = links.address_url(change=change, end=end).rstrip("/").rpartition("/")[2]
        address_change.agree(token=token, evidence=evidence(), now=timezone.now())
    reader.refresh_from_db()
    Subscriber.objects.filter(pk=reader.pk).update(name=NAME)
    upload(newsletter)
    address_change.ask(subscriber=reader, address=addresses.normalise(WISHED), now=timezone.now())
    subscription = reader.subscriptions.get(newsletter=newsletter)
    preferences.choose_content(subscription=subscription, chosen=[], format="headlines", now=timezone.now())
    preferences.choose_tracking(subscriber=reader, agrees=True, evidence=replace(evidence(), ip=IP), now=timezone.now())
    preferences.mail_link(subscriber=reader, now=timezone.now())
    return reader


def she_gets_mail(reader: Subscriber, newsletter: Newsletter, publish: Publish, settings: Any) -> None:
    """Copies, what is reported about them, a mail to us, acts of the desk."""
    refused = {"at": "RCPT", "match": ADDRESS, "do": "reply", "reply": f"450 4.2.1 <{ADDRESS}> {ADDRESS} is busy"}
    copy = sent(newsletter, publish, settings).deliveries.get(subscriber=reader)
    sent(newsletter, publish, settings, refused)
    bounce = f"<{ADDRESS}>: the mailbox of {ADDRESS} is full"
    for word, fields in (
        ("deferred", {"mta_response": bounce}), ("bounced", {"mta_response": bounce, "description": bounce}),
        ("opened", {"user_agent": NAME}), ("clicked", {"click_url": f"https://news.test/?for={ADDRESS}"}),
    ):  # fmt: skip
        processing.record(event=copies.event(word, copy, **fields), provider="Mailgun", now=timezone.now())
    processing.record(
        event=copies.event("bounced", recipient=ADDRESS, message_id="<of another system@x.org>", mta_response=bounce),
        provider="Mailgun", now=timezone.now(),
    )  # fmt: skip
    ingestion.take(
        raw=f"From: {NAME} <{ADDRESS}>\r\nSubject: unsubscribe\r\n\r\nPlease.\r\n".encode(), now=timezone.now()
    )
    chief = account("chief of readers", groups.PUBLISHER)
    key, note = ADDRESS.lower(), f"{ADDRESS} wrote to us"
    suppression.suppress(address_key=key, reason=Suppression.Reason.MANUAL, note=note, actor=chief, now=timezone.now())
    suppression.lift(address_hash=addresses.keyed_hash(key), actor=chief, note=note, now=timezone.now())
    suppression.suppress(address_key=key, reason=Suppression.Reason.MANUAL, note=note, actor=chief, now=timezone.now())
    subscription = reader.subscriptions.get(newsletter=newsletter)
    signup.unsubscribe(subscription=subscription, evidence=evidence(), reason="admin", actor=chief, now=timezone.now())
    Issue.objects.filter(pk=copy.issue_id).update(finished_at=timezone.now() - timedelta(hours=2), state="sent")
    history.maintain(now=timezone.now())


def test_nothing_tells_of_them_but_keyed_hashes(
    newsletter: Newsletter,
    texts: list[LegalVersion],
    publish: Publish,
    settings: Any,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    confirmed(BOB, newsletter)
    reader = she_signs_up(newsletter)
    she_gets_mail(reader, newsletter, publish, settings)
    filled = {
        "subscribers_subscriber", "subscribers_addresschange", "subscribers_importjob.content",
        "subscribers_consentorigin",
    }  # fmt: skip
    assert filled <= places(), "she was there"
    rows = (reader.subscriptions, reader.letters, reader.deliveries, PreferenceChange.objects, Reminder.objects)
    assert all(row.exists() for row in rows)
    assert DeliveryEvent.objects.filter(address_hash__gt="").exists()
    assert Delivery.objects.filter(month__isnull=False).exists()

    url = f"/preferences/{links.preferences_token(subscriber=reader)}/erase/"
    mail.outbox.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert Client().post(url).status_code == 200
    tasks.tick()

    assert traces_found() == set()
    hashes = {addresses.keyed_hash(key) for key in (FORMER, ADDRESS.lower())}
    assert {place for place, text in stored_in_rows() if any(one in text for one in hashes)} <= {
        "subscribers_consentevent", "subscribers_suppression", "digests_deliveryevent",
    }  # fmt: skip
    assert not mail.outbox, "nobody is left to write to"
