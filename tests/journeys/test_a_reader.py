"""From the form to the mailbox and out again: what a reader sees, over real HTTP and real SMTP."""

import re
import time
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import requests
from django.utils import timezone

from articles.models import Article
from digests.models import Delivery, Issue
from newsroom.running import http_client as readers
from subscribers import legal
from subscribers.models import CadenceOffer, ConsentEvent, LegalDocument, Letter, Newsletter, Subscription
from tests.journeys import stage as stages
from tests.journeys.conftest import Story

# The sign-up form refuses anyone who fills it in faster than a person can.
FORM_SECONDS = 2.2
ONCE = ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
LISTED = [
    "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help", "List-Archive", "List-Owner",
    "Feedback-ID", "Auto-Submitted",
]  # fmt: skip
pytestmark = pytest.mark.slow


@pytest.fixture
def texts(transactional_db: None) -> None:
    """The texts that readers agree to."""
    for position, kind in enumerate([LegalDocument.Kind.TERMS, LegalDocument.Kind.PRIVACY]):
        document = LegalDocument.objects.create(kind=kind, slug=kind, title=str(kind.label), position=position)
        version = legal.draft(document=document, body_markdown="We keep **one** address.", now=timezone.now())
        legal.publish_version(version=version, actor=None, now=timezone.now())


@pytest.fixture
def site(stage: stages.Stage, newsletter: Newsletter, texts: None, story: Story) -> stages.Stage:
    """Web and worker are up, and a story of an hour ago is public."""
    stage.worker()
    stage.web()
    story("Crypto reserve backed")
    return stage


def sign_up(site: stages.Stage, person: readers.Reader) -> None:
    page = "/articles/" + Article.objects.get().slug + "/"
    first = person.form(person.get(page), action="/subscribe/")
    first.set("address", person.address)
    form = person.form(person.send(first, page=page), action="/subscribe/")
    for name, value in [box for box in form.boxes if box[0] == "newsletters"]:
        form.tick(name, value)
    form.tick("consent")
    time.sleep(FORM_SECONDS)
    person.send(form, page="/subscribe/")


def confirm(site: stages.Stage, person: readers.Reader) -> None:
    letter = site.next_mail(person.address)
    address = readers.link(text_of(letter), part="/confirm/")
    page = person.get(address)
    assert not Subscription.objects.filter(subscriber__address=person.address, state="confirmed").exists()
    person.send(person.form(page, action=""), page=address)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


def digest_of(site: stages.Stage, address: str, *, number: int) -> EmailMessage:
    """The digest of that number in the mailbox, after the letters."""
    digests = [mail for mail in site.mails(address) if mail["List-Id"]]
    stages.wait(
        lambda: len([mail for mail in site.mails(address) if mail["List-Id"]]) >= number,
        f"digest {number} of {len(digests)}",
        20,
        site.logs,
    )
    return [mail for mail in site.mails(address) if mail["List-Id"]][number - 1]


def test_from_the_form_to_the_mailbox_and_out_again(site: stages.Stage, newsletter: Newsletter, story: Story) -> None:
    anna, berta = (readers.Reader(site.site, f"{name}@readers.example") for name in ("anna", "berta"))
    for person in (anna, berta):
        sign_up(site, person)
        confirm(site, person)
    make_due(newsletter)

    site.tick(times=2)
    digest = digest_of(site, anna.address, number=1)
    check_as_a_mail_program(digest, site)

    leave_by_one_click(digest)
    story("Digital som piloted", timezone.now() - timedelta(seconds=1))
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    site.manage("compose_digest", newsletter.slug, "--cadence", "daily", "--at", tomorrow, "--approve")
    second = digest_of(site, berta.address, number=2)

    assert "Digital som piloted" in text_of(second)
    assert "Crypto reserve backed" not in text_of(second)
    stages.wait(lambda: Issue.objects.filter(state="sent").count() == 2, "both issues to end", 15, site.logs)
    assert [mail["List-Id"] is not None for mail in site.mails(anna.address)].count(True) == 1
    assert [issue.audience_count for issue in Issue.objects.order_by("pk")] == [2, 1]
    kinds = ConsentEvent.objects.filter(subscriber_uuid=uuid_of(anna)).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["requested", "confirmed", "withdrawn"]


def uuid_of(person: readers.Reader) -> UUID:
    return Subscription.objects.get(subscriber__address=person.address).subscriber.uuid


def make_due(newsletter: Newsletter) -> None:
    """The hour of the daily digest was five minutes ago in Bishkek, and nobody has to approve it."""
    bishkek = timezone.now().astimezone(ZoneInfo(newsletter.time_zone)) - timedelta(minutes=5)
    CadenceOffer.objects.update(send_at=bishkek.time().replace(second=0, microsecond=0))
    Newsletter.objects.update(auto_approve=True)


def check_as_a_mail_program(mail: EmailMessage, site: stages.Stage) -> None:
    """Structure, character set, every header of design 4.5, and words in both parts."""
    assert mail.get_content_type() == "multipart/alternative"
    parts = list(mail.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert all(len(line) <= 998 for line in mail.as_bytes().splitlines())
    assert {name: len(mail.get_all(name, [])) for name in ONCE} == dict.fromkeys(ONCE, 1)
    assert {name: len(mail.get_all(name, [])) for name in LISTED} == dict.fromkeys(LISTED, 1)
    assert mail["To"].addresses[0].addr_spec == "anna@readers.example"
    assert mail["From"].addresses[0].addr_spec == "news@blocknews.example"
    assert not mail["Cc"]
    assert not mail["Bcc"]
    assert mail["Date"].datetime.tzinfo is not None
    delivery = Delivery.objects.get(subscriber__address="anna@readers.example")
    assert str(delivery.uuid) in mail["Message-ID"]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "mailto:" in mail["List-Unsubscribe"]
    assert "<tech-news." in mail["List-Id"]
    for kind in ("plain", "html"):
        text = text_of(mail, kind)
        assert "Crypto reserve backed" in text
        assert "1 Example Street" in text
        assert "/unsubscribe/" in text
        assert "%%" not in text
    links = re.findall(r'(?:href|src)="([^"]*)"', text_of(mail, "html"))
    assert links
    assert {urlsplit(link).scheme for link in links} <= {"http", "mailto"}
    assert all(link.startswith((site.site, "mailto:")) for link in links)


def leave_by_one_click(mail: EmailMessage) -> None:
    """RFC 8058: no cookie, no redirect; and a program that only looks changes nothing."""
    address = readers.link(mail["List-Unsubscribe"], part="/unsubscribe/")
    confirmed = Subscription.objects.filter(state="confirmed")
    before = confirmed.count()
    for look in (requests.get, requests.head, requests.options):
        look(address, timeout=10)
    assert confirmed.count() == before

    response = requests.post(address, data={"List-Unsubscribe": "One-Click"}, timeout=10, allow_redirects=False)

    assert response.status_code == 200
    assert not response.cookies
    assert confirmed.count() == before - 1


def test_the_broker_is_away_when_a_reader_signs_up(site: stages.Stage) -> None:
    anna = readers.Reader(site.site, "anna@readers.example")
    site.stop_redis()

    sign_up(site, anna)
    assert Letter.objects.get().state == Letter.State.PENDING
    assert site.mails(anna.address) == []

    site.start_redis()
    site.tick()
    confirm(site, anna)
    assert Subscription.objects.get().state == Subscription.State.CONFIRMED


def test_a_letter_whose_task_was_lost_comes_with_the_clock(site: stages.Stage) -> None:
    anna = readers.Reader(site.site, "anna@readers.example")
    site.kill(site.started[0])
    sign_up(site, anna)
    site.redis().flushall()

    site.worker()
    site.tick()

    assert "/confirm/" in text_of(site.next_mail(anna.address))
