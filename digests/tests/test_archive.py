"""Newsletters and past issues, as readers find them on the site."""

from datetime import datetime, time

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from articles.models import Article
from digests import freezing, web_view
from digests.models import Issue, Snapshot
from subscribers.models import CadenceOffer, Newsletter
from tests.table import rows

ADDRESS = "/newsletters/tech-news/1/"


@pytest.fixture
def sent(digest: Issue, now: datetime) -> Issue:
    freezing.freeze(issue=digest, now=now)
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SENT, audience_count=3, planned_at=now)
    digest.refresh_from_db()
    return digest


def body(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_newsletters_say_what_comes_and_when(newsletter: Newsletter, client: Client) -> None:
    Newsletter.objects.create(name="Closed", slug="closed", description="No.", is_open=False)
    newsletter.offers.create(cadence="monthly", send_at=time(18, 30), day_of_month=6)
    html = body(client, "/newsletters/")
    assert "Tech News" in html
    assert "Daily at 07:00 (Europe/Berlin)" in html
    assert "Every Monday at 07:00" in html
    words = ["Each story when", "Daily at", "Every Monday", "On day 6 of each month at 18:30 (Europe/Berlin)"]
    assert sorted(words, key=html.index) == words
    assert "Closed" not in html


def test_a_cadence_that_is_switched_off_is_not_promised(newsletter: Newsletter, client: Client) -> None:
    CadenceOffer.objects.filter(cadence="daily").update(is_active=False)
    assert "Daily" not in body(client, "/newsletters/tech-news/").replace("daily", "")


def test_a_newsletter_lists_its_past_issues(sent: Issue, client: Client) -> None:
    html = body(client, "/newsletters/tech-news/")
    assert f'href="{ADDRESS}"' in html
    assert "Second, First" in html


def test_a_newsletter_without_issues_says_so(newsletter: Newsletter, client: Client) -> None:
    assert "No issue has been sent yet" in body(client, "/newsletters/tech-news/")


def test_the_web_view_is_the_snapshot_without_anybodys_links(sent: Issue, client: Client) -> None:
    Article.objects.update(headline="Changed")
    html = body(client, ADDRESS)
    assert "Third" in html
    assert "Changed" not in html
    assert "%%" not in html
    assert '<a href="http://127.0.0.1:8000/preferences/">Unsubscribe</a>' in html


def test_the_web_view_is_a_page_of_the_site_with_the_mail_inside(sent: Issue, client: Client) -> None:
    page = BeautifulSoup(body(client, ADDRESS), "html5lib")
    for landmark in ("header.masthead", "main#main", "footer.footer", "#subscribe form"):
        assert page.select_one(landmark), landmark
    assert [heading.get_text() for heading in page.select("h1")] == ["Tech News"]
    title = page.select_one("p.issue-head__title")
    assert title is not None
    assert title.get_text() == sent.snapshot.subject
    # The site has a style for buttons of its own, which would move the mail's.
    assert page.select_one(".mail .mail-button") is not None
    assert page.select_one(".mail .button") is None
    assert [link["href"] for link in page.select(".issue-foot a")] == ["/newsletters/tech-news/", "/preferences/"]
    mail = page.select_one("main .mail[lang=en]")
    assert mail is not None
    assert "Third" in mail.get_text()
    assert not page.select("body style, .mail html, .mail body")
    [rules] = page.select("head style")
    assert "@scope (.mail) {" in str(rules)
    assert "prefers-color-scheme: dark" in str(rules)
    assert "[if mso" not in str(page)


def test_a_mail_from_before_mails_had_headings_gets_one_from_its_page(sent: Issue) -> None:
    assert web_view.of(snapshot=sent.snapshot).has_heading
    old = Snapshot(issue=sent, html="<html><body><!--[if mso]><p>x</p><![endif]--><div>First</div></body></html>")
    assert web_view.of(snapshot=old) == web_view.WebView(styles="", body="<div>First</div>", has_heading=False)


def test_the_web_view_may_have_the_mails_styles_and_no_script_of_its_own(sent: Issue, client: Client) -> None:
    policy = client.get(ADDRESS)["Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == "'self' 'unsafe-inline'"
    assert rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert rules["script-src"] == "'self'"


@rows("state", [Issue.State.SENDING, Issue.State.PAUSED, Issue.State.SENT_WITH_EXCEPTIONS])
def test_it_is_there_from_the_first_copy_on(sent: Issue, client: Client, state: str) -> None:
    Issue.objects.filter(pk=sent.pk).update(state=state)
    assert "Third" in body(client, ADDRESS)


@rows("state", [Issue.State.DRAFT, Issue.State.SCHEDULED, Issue.State.PREPARING])
def test_it_is_not_there_before(sent: Issue, client: Client, state: str) -> None:
    Issue.objects.filter(pk=sent.pk).update(state=state)
    assert client.get(ADDRESS).status_code == 404
    assert ADDRESS not in body(client, "/newsletters/tech-news/")


def test_a_cancelled_issue_says_that_it_was_withdrawn_and_not_what_it_said(sent: Issue, client: Client) -> None:
    Issue.objects.filter(pk=sent.pk).update(state=Issue.State.CANCELLED)
    response = client.get(ADDRESS)
    assert response.status_code == 410
    assert "This issue was withdrawn" in response.content.decode()
    assert "Third" not in response.content.decode()


@rows("address", ["/newsletters/nothing/", "/newsletters/tech-news/7/", "/newsletters/nothing/1/"])
def test_what_is_not_there_is_not_found(sent: Issue, client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


@rows("address", ["/newsletters/", "/newsletters/tech-news/", ADDRESS])
def test_it_is_only_read(sent: Issue, client: Client, address: str) -> None:
    assert client.post(address).status_code == 405
    assert client.head(address).status_code == 200


def test_more_issues_cost_no_more_queries(
    sent: Issue, client: Client, now: datetime, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(6):
        letter = Issue.objects.create(newsletter=sent.newsletter, subject=f"Letter {number}", introduction="Hello.")
        freezing.freeze(issue=letter, now=now)
        Issue.objects.filter(pk=letter.pk).update(state=Issue.State.SENT, audience_count=1)
    with django_assert_max_num_queries(16):  # type: ignore[operator]  # the fixture is a context manager
        assert body(client, "/newsletters/tech-news/").count('class="archive__subject"') == 7
