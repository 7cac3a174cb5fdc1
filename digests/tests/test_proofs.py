"""A proof is the mail itself, marked, for one address, and touches nobody's subscription."""

import socket
from datetime import datetime

import pytest
from django.core.mail import EmailMultiAlternatives
from pytest_django import Settings

from articles.models import Article
from digests import freezing, proofs
from digests.models import Delivery, Issue
from subscribers.models import ConsentEvent
from tests.table import rows


@pytest.fixture(autouse=True)
def memory(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def sent(issue: Issue, now: datetime, mailoutbox: list[EmailMultiAlternatives]) -> EmailMultiAlternatives:
    proofs.send_proof(issue=issue, to="Editor@BlockNews.example", actor=None, now=now)
    return mailoutbox[-1]


def test_it_looks_like_the_mail(digest: Issue, now: datetime, mailoutbox: list[EmailMultiAlternatives]) -> None:
    mail = sent(digest, now, mailoutbox)
    frozen = freezing.freeze(issue=digest, now=now)
    assert (mail.subject, mail.to, mail.cc, mail.bcc) == ("[Proof] Third", ["Editor@blocknews.example"], [], [])
    assert mail.from_email == "Tech News <news@blocknews.example>"
    assert "Third" in mail.body
    assert "About second." in str(mail.alternatives[0])
    assert mail.extra_headers["List-Id"] == dict(frozen.headers)["List-Id"]


def test_its_links_lead_to_the_page_that_asks_for_an_address_and_end_nothing(
    digest: Issue, now: datetime, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    mail = sent(digest, now, mailoutbox)
    whole = mail.message().as_string()
    assert "%%" not in mail.body + str(mail.alternatives[0])
    assert "Unsubscribe:\nhttp://127.0.0.1:8000/preferences/\n" in mail.body
    assert "List-Unsubscribe" not in whole
    assert (Delivery.objects.count(), ConsentEvent.objects.count()) == (0, 0)


def test_after_freezing_it_is_the_snapshot(
    digest: Issue, now: datetime, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    freezing.freeze(issue=digest, now=now)
    Article.objects.update(headline="Changed")
    assert sent(digest, now, mailoutbox).subject == "[Proof] Third"


def test_before_freezing_it_has_the_current_content(
    digest: Issue, now: datetime, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    sent(digest, now, mailoutbox)
    Article.objects.filter(headline="Third").update(headline="Changed")
    assert sent(digest, now, mailoutbox).subject == "[Proof] Changed"
    digest.refresh_from_db()
    assert digest.number is None


@rows("address", ["", "nobody", "a@x.example, b@x.example", "a@x.example\r\nBcc: b@x.example"])
def test_it_goes_to_one_address(
    digest: Issue, now: datetime, address: str, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    with pytest.raises(proofs.NotSent):
        proofs.send_proof(issue=digest, to=address, actor=None, now=now)
    assert mailoutbox == []


def test_an_issue_that_cannot_be_shown_says_why(digest: Issue, now: datetime) -> None:
    Article.objects.update(state=Article.State.WITHDRAWN)
    with pytest.raises(proofs.NotSent, match="No published story is left"):
        proofs.send_proof(issue=digest, to="editor@blocknews.example", actor=None, now=now)


def test_an_unreachable_mail_server_is_reported_in_a_sentence(digest: Issue, now: datetime, settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.socket() as nobody:
        # Bound, and not listening: every connection is refused.
        nobody.bind(("127.0.0.1", 0))
        settings.EMAIL_HOST, settings.EMAIL_PORT = nobody.getsockname()
        with pytest.raises(proofs.NotSent, match="The mail server could not be reached"):
            proofs.send_proof(issue=digest, to="editor@blocknews.example", actor=None, now=now)
