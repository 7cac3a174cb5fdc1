"""The cast of all tests: a publication, its staff, a newsletter, readers, and stories.

The product's own verbs make them, so that a test begins with what the product would have. A pytest plugin, which
the root conftest loads; where a fixture is one too few, the function of the same purpose makes more.
"""

import functools
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from articles import publishing
from articles.models import Article, Author, Byline, Section
from mailkit import addresses
from publication.models import Publication
from staff import sessions  # noqa: F401  # a sign-in before the first request is noted too
from subscribers import consent, imports, legal, links, signup, terms
from subscribers.models import (
    Cadence,
    CadenceOffer,
    LegalDocument,
    LegalVersion,
    Newsletter,
    Subscriber,
    Subscription,
    Weekday,
)

# Since then the newsletter is offered, and its readers have confirmed.
SINCE = datetime(2025, 5, 1, tzinfo=UTC)
RITA, BOB = "rita@reader.org", "bob@elsewhere.net"

Staff = Callable[..., Client]
Publish = Callable[..., Article]
Readers = Callable[..., list[Subscription]]


def make_newsletter(name: str = "Tech News", **fields: Any) -> Newsletter:
    """One that is offered at once, daily at 07:00, and on Mondays at 07:00, in Berlin."""
    values = {"slug": name.lower().replace(" ", "-"), "description": f"What matters in {name}."}
    newsletter = Newsletter.objects.create(name=name, **{"time_zone": "Europe/Berlin"} | values | fields)
    offer = functools.partial(CadenceOffer.objects.create, newsletter=newsletter, active_since=SINCE)
    offer(cadence=Cadence.INSTANT)
    offer(cadence=Cadence.DAILY, send_at=time(7))
    offer(cadence=Cadence.WEEKLY, send_at=time(7), weekday=Weekday.MONDAY)
    return newsletter


def make_texts() -> list[LegalVersion]:
    """The terms and the privacy policy, one published version each."""
    versions = []
    for kind, slug, title in (("terms", "terms-of-use", "Terms of use"), ("privacy", "privacy", "Privacy policy")):
        document = LegalDocument.objects.create(kind=kind, slug=slug, title=title)
        version = legal.draft(document=document, body_markdown=f"# {title}\n\nBe kind.", now=timezone.now())
        versions.append(legal.publish_version(version=version, actor=None, now=timezone.now()))
    return versions


def evidence() -> consent.Evidence:
    """What a form shows today."""
    shown = terms.current()
    return consent.Evidence(
        ip="198.51.100.77",
        user_agent="Lynx",
        form_url="https://news.test/subscribe/",
        versions=shown.versions,
        form_text=shown.text,
        source="form",
    )


def ask(address: str, newsletter: Newsletter, *, cadence: str = "daily", now: datetime | None = None) -> Subscriber:
    """`address` asks for the newsletter; nothing is confirmed."""
    mailbox = addresses.normalise(address)
    signup.request(
        address=mailbox,
        newsletter_cadences=[(newsletter, cadence)],
        evidence=evidence(),
        now=now or timezone.now(),
    )
    return Subscriber.objects.get(address_key=mailbox.key)


def confirmed(
    address: str, newsletter: Newsletter, *, cadence: str = "daily", now: datetime | None = None
) -> Subscription:
    """`address` has asked for the newsletter and confirmed."""
    subscriber = ask(address, newsletter, cadence=cadence, now=now)
    token = links.confirm_token(subscriptions=subscriber.subscriptions.filter(newsletter=newsletter))
    return signup.confirm(token=token, evidence=evidence(), now=now or timezone.now()).subscriptions[0]


def import_readers(
    *addresses: str, newsletter: Newsletter, cadence: str = Cadence.DAILY, at: datetime = SINCE
) -> list[Subscription]:
    """They agreed on paper: confirmed readers without a letter, and as fast for a thousand as for ten."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write("\n".join(["address", *addresses]).encode())
        file.flush()
        plan = imports.plan(newsletter=newsletter, cadence=cadence, basis="A paper form")
        report = imports.run(source=imports.open_source(path=Path(file.name)), plan=plan, actor=None, now=at)
    assert report.imported == len(addresses), report
    rows = newsletter.subscriptions.filter(subscriber__address__in=addresses).select_related("subscriber")
    return list(rows.order_by("subscriber__address"))


def account(name: str, group: str) -> User:
    """A member of staff in one group."""
    user = User.objects.create_user(name, email=f"{name}@blocknews.example", password="secret", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def signed_in(user: User) -> Client:
    """A browser in which somebody is signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def publication(db: None) -> Publication:
    """A publication that may send: it has a postal address and a sender."""
    row = Publication.objects.current()
    row.name = "Block News International"
    row.owner = "Blends Media Group"
    row.postal_address = "Blends Media Group\n1 Example Street\n10115 Berlin"
    row.sender_address = "news@blocknews.example"
    row.save()
    return row


@pytest.fixture
def texts(db: None) -> list[LegalVersion]:
    """The terms and the privacy policy."""
    return make_texts()


@pytest.fixture
def newsletter(publication: Publication) -> Newsletter:
    """Tech News."""
    return make_newsletter()


@pytest.fixture
def readers(newsletter: Newsletter) -> Readers:
    """Make N confirmed readers of Tech News."""

    def make(count: int, *, cadence: str = Cadence.DAILY) -> list[Subscription]:
        names = [f"reader-{number:04}@readers.example" for number in range(count)]
        return import_readers(*names, newsletter=newsletter, cadence=cadence)

    return make


@pytest.fixture
def section(db: None) -> Section:
    """The section of every story."""
    return Section.objects.create(name="News", slug="news", description="What happened.")


@pytest.fixture
def publish(section: Section) -> Publish:
    """Publish a story, now or at an instant that is over."""
    author = Author.objects.create(name="Staff Writer", slug="staff-writer")

    def make(headline: str, at: datetime | None = None, **fields: Any) -> Article:
        values = {"section": section, "standfirst": f"About {headline.lower()}.", "body_markdown": "The body."} | fields
        slug = f"story-{Article.objects.count() + 1}"
        article = Article.objects.create(headline=headline, slug=slug, **values)
        Byline.objects.create(article=article, author=author)
        moment = at or timezone.now()
        publishing.publish(article=article, actor=None, now=moment)
        return article

    return make


@pytest.fixture
def staff(db: None) -> Staff:
    """A browser of somebody in this group."""

    def make(group: str) -> Client:
        return signed_in(account(group.lower(), group))

    return make
