"""The cast: one newsletter with its texts, Rita who reads, and Bob at another mailbox."""

import tempfile
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, imports, legal, links, signup, terms
from subscribers.import_report import Report
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

RITA, BOB = "rita@reader.org", "bob@elsewhere.net"


def make_newsletter(name: str = "Tech News", *, slug: str = "tech-news", position: int = 0) -> Newsletter:
    newsletter = Newsletter.objects.create(
        name=name, slug=slug, description=f"What matters in {name}.", time_zone="Europe/Berlin", position=position
    )
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.INSTANT)
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.DAILY, send_at=time(7))
    CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.WEEKLY, send_at=time(7), weekday=Weekday.FRIDAY)
    return newsletter


def make_texts() -> list[LegalVersion]:
    versions = []
    for kind, slug, title in (("terms", "terms-of-use", "Terms of use"), ("privacy", "privacy", "Privacy policy")):
        document = LegalDocument.objects.create(kind=kind, slug=slug, title=title)
        version = legal.draft(document=document, body_markdown=f"# {title}\n\nBe kind.", now=timezone.now())
        versions.append(legal.publish_version(version=version, now=timezone.now()))
    return versions


@pytest.fixture
def texts(db: None) -> list[LegalVersion]:
    """The terms and the privacy policy, one published version each."""
    return make_texts()


@pytest.fixture
def newsletter(db: None, texts: list[LegalVersion]) -> Newsletter:
    """Tech News: instant, daily and weekly."""
    return make_newsletter()


@pytest.fixture
def product(db: None) -> Newsletter:
    """A second newsletter."""
    return make_newsletter("Product Updates", slug="product-updates", position=1)


def ask(address: str, newsletter: Newsletter, *, cadence: str = "daily", now: datetime | None = None) -> Subscriber:
    """`address` asks for the newsletter; nothing is confirmed."""
    recipient = addresses.normalise(address)
    signup.request(
        address=recipient,
        newsletter_cadences=[(newsletter, cadence)],
        evidence=evidence(),
        now=now or timezone.now(),
    )
    return Subscriber.objects.get(address_key=recipient.key)


def confirmed(address: str, newsletter: Newsletter, *, cadence: str = "daily") -> Subscription:
    """`address` has asked for the newsletter and confirmed."""
    subscriber = ask(address, newsletter, cadence=cadence)
    token = links.confirm_token(subscriptions=subscriber.subscriptions.filter(newsletter=newsletter))
    return signup.confirm(token=token, evidence=evidence(), now=timezone.now()).subscriptions[0]


def import_text(
    text: str | bytes, newsletter: Newsletter, *, basis: str = "A paper form", dry_run: bool = False, **columns: Any
) -> Report:
    """Import a file with this content into a weekly subscription."""
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        file.write(text.encode() if isinstance(text, str) else text)
        file.flush()
        source = imports.open_source(path=Path(file.name), **columns)
        plan = imports.plan(newsletter=newsletter, cadence="weekly", basis=basis)
        return imports.run(source=source, plan=plan, now=timezone.now(), dry_run=dry_run)


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


@pytest.fixture
def rita(newsletter: Newsletter) -> Subscription:
    """Rita's confirmed daily subscription."""
    return confirmed(RITA, newsletter)


def form_token(*, age: timedelta = timedelta(minutes=1)) -> str:
    """The seal of a form that was shown `age` ago."""
    return terms.seal(terms=terms.current(), page="/articles/story/", now=timezone.now() - age)


Fill = Callable[..., dict[str, object]]


@pytest.fixture
def fill() -> Fill:
    """What a browser sends for a form that Rita filled in well; arguments change single fields."""

    def filled(**changes: object) -> dict[str, object]:
        data: dict[str, object] = {
            "address": RITA,
            "newsletters": ["tech-news"],
            "cadence_tech-news": "weekly",
            "consent": "on",
            "leave_empty": "",
            "form_token": form_token(),
        } | changes
        return {name: value for name, value in data.items() if value is not None}

    return filled


@pytest.fixture
def browser() -> Client:
    """A client that checks CSRF as a real server does."""
    return Client(enforce_csrf_checks=True)
