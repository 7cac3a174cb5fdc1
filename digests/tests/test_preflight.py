"""Preflight: what each check finds in a good issue and in hostile ones, what blocks, and what a person accepts."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from articles.models import Article, Image
from core import link_check, redis_client
from core.link_check import Verdict
from digests import approval, composing
from digests.models import Issue, IssueEventCount, IssueItem, IssueOutcome, Preflight
from digests.preflight import checking, findings, history
from postal import dns
from postal.tests import name_server
from publication.models import Publication
from staff.models import AuditEvent
from subscribers.models import Newsletter
from tests import redis_keys
from tests.cast import Readers, Staff
from tests.table import rows

pytestmark = pytest.mark.django_db

State = Issue.State
SENDER = "blocknews.example"
GOOD_ZONE = {
    (SENDER, "TXT"): ['"v=spf1 include:_spf.mail.example -all"'],
    (f"_dmarc.{SENDER}", "TXT"): ['"v=DMARC1; p=reject"'],
    (f"mail._domainkey.{SENDER}", "TXT"): ['"v=DKIM1; k=rsa; p=" "MIIBIjANBgkq"'],
    (SENDER, "MX"): ["10 mx.mail.example."],
}


def codes(issue: Issue) -> set[str]:
    report = checking.report(issue=issue, now=timezone.now())
    return {one.code for one in report.findings}


@pytest.fixture
def good(digest: Issue, readers: Readers) -> Issue:
    """A digest in which there is nothing to mend."""
    readers(2)
    Issue.objects.update(preheader="And what else happened.")
    digest.refresh_from_db()
    return digest


def test_the_table_in_the_documentation_is_the_code() -> None:
    text = (Path(configured.BASE_DIR) / "docs/preflight.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| (error|warning|notice) \|", text, re.MULTILINE))
    assert documented == {code: level.value for code, level in findings.RULES.items()}


def test_a_good_issue_has_no_findings(good: Issue) -> None:
    assert codes(good) == set()


@rows(
    "changes, expected",
    [
        ({"subject": "Hello {{ first_name }}"}, "merge_field"),
        ({"introduction": "Dear *|FNAME|*,"}, "merge_field"),
        ({"preheader": "For %%name%% only"}, "merge_field"),
        ({"subject": "Markets TKTK"}, "placeholder"),
        ({"introduction": "The minister said [TK] yesterday."}, "placeholder"),
        ({"sponsor": "Lorem ipsum by Acme"}, "placeholder"),
        ({"subject": "What TK Maxx sells"}, "maybe_placeholder"),
        ({"subject": "x" * 41}, "subject_phone"),
        ({"subject": "x" * 61}, "subject_long"),
        ({"preheader": ""}, "preheader_missing"),
        ({"introduction": "[here](http://localhost:8000/x)"}, "private_link"),
        ({"introduction": "[here](https://192.168.1.7/)"}, "private_link"),
        ({"introduction": "[here](https://staging.blocknews.example/)"}, "private_link"),
        ({"introduction": "[here](http://elsewhere.example/)"}, "insecure_link"),
        ({"sponsor": "[Acme](http://10.0.0.1/)"}, "private_link"),
        ({"introduction": "word " * 30_000}, "not_ready"),
    ],
)
def test_what_the_words_of_an_issue_show(good: Issue, changes: dict[str, str], expected: str) -> None:
    Issue.objects.filter(pk=good.pk).update(**changes)
    good.refresh_from_db()
    assert expected in codes(good)


def test_stories_are_looked_at_too(good: Issue) -> None:
    IssueItem.objects.filter(article__headline="Second").update(headline="TKTK", summary="By ${author}")
    Article.objects.filter(headline="First").update(state=Article.State.WITHDRAWN)
    picture = Image.objects.create(file="images/p.jpg", alt=" ", width=1200, height=800)
    Article.objects.filter(headline="Third").update(lead_image=picture)
    assert {"placeholder", "merge_field", "story_withdrawn", "alt_missing"} <= codes(good)
    IssueItem.objects.update(included=False)
    assert "not_ready" in codes(good)


def test_the_links_of_which_the_worker_found_out_something(good: Issue) -> None:
    pages = {Verdict.DEAD: "gone", Verdict.DOUBTFUL: "slow", Verdict.REFUSED: "inner", Verdict.ALIVE: "good"}
    links = " ".join(f"[{name}](https://{name}.example/)" for name in [*pages.values(), "new"])
    Issue.objects.update(introduction=links)
    good.refresh_from_db()
    for verdict, name in pages.items():
        redis_client.connect().set(link_check._key(f"https://{name}.example/"), verdict.value)
    assert codes(good) == {"dead_link", "doubtful_link", "private_link", "links_pending"}


@rows(
    "changes, selector, returns, expected",
    [
        ({}, "mail", "", set()),
        ({(SENDER, "TXT"): ['"v=spf2"']}, "mail", "", {"spf_missing"}),
        ({(SENDER, "TXT"): ['"v=spf1 -all"']}, "mail", "", {"spf_forbids"}),
        ({(SENDER, "TXT"): ['"v=spf1 a -all"', '"v=spf1 mx -all"']}, "mail", "", {"spf_missing"}),
        ({}, "other", "", {"dkim_missing"}),
        ({(f"mail._domainkey.{SENDER}", "TXT"): ['"v=DKIM1; p="']}, "mail", "", {"dkim_missing"}),
        ({(f"_dmarc.{SENDER}", "TXT"): []}, "mail", "", {"dmarc_missing"}),
        ({}, "", "returns.elsewhere.example", {"dmarc_unaligned"}),
        ({}, "", f"returns.{SENDER}", set()),
        ({(f"_dmarc.{SENDER}", "TXT"): ['"v=DMARC1; p=reject; aspf=s"']}, "", f"r.{SENDER}", {"dmarc_unaligned"}),
        ({(f"_dmarc.{SENDER}", "TXT"): ['"v=DMARC1; p=none"']}, "", "r.elsewhere.example", set()),
        ({(SENDER, "MX"): []}, "mail", "", {"replies_lost"}),
    ],
)
def test_what_the_dns_says_of_the_sender(
    good: Issue, settings: Settings, changes: dict[Any, list[str]], selector: str, returns: str, expected: set[str]
) -> None:
    Publication.objects.update(reply_to=f"desk@{SENDER}")
    settings.EMAIL_TRANSPORT, settings.SITE_URL = "smtp", f"https://{SENDER}"
    settings.DKIM_SELECTOR, settings.RETURN_DOMAIN = selector, returns
    redis_keys.forget()
    with name_server.running(GOOD_ZONE | changes) as server:
        settings.DNS_SERVER = server.place
        assert codes(good) == expected
        asked = len(server.asked)
        Preflight.objects.all().delete()
        assert codes(good) == expected
        assert len(server.asked) == asked, "the replies are remembered"


def test_a_silent_dns_costs_a_page_three_seconds_and_blocks_nothing(
    good: Issue, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "TIMEOUT", 0.1)
    settings.EMAIL_TRANSPORT, settings.SITE_URL = "smtp", f"https://{SENDER}"
    redis_keys.forget()
    with name_server.running({}, is_silent=True) as server:
        settings.DNS_SERVER = server.place
        assert codes(good) == {"dns_silent"}


def test_a_site_that_is_private_sends_nothing(good: Issue, settings: Settings) -> None:
    settings.EMAIL_TRANSPORT, settings.SITE_URL = "smtp", "http://localhost:8000"
    with name_server.running({}, is_silent=False) as server:
        settings.DNS_SERVER = server.place
        redis_keys.forget()
        assert "site_private" in codes(good)


class TestFormerIssues:
    """Repetition, rates and the audience are those of the same kind and cadence."""

    def former(self, newsletter: Newsletter, **fields: Any) -> Issue:
        values = {"kind": "digest", "cadence": "daily", "state": State.SENT, "audience_count": 2}
        now = timezone.now()
        number = Issue.objects.count() + 10
        return Issue.objects.create(
            newsletter=newsletter, number=number, planned_at=now, finished_at=now, period_key=f"{number}",
            **(values | fields),
        )  # fmt: skip

    @rows(
        "fields, expected",
        [
            ({"audience_count": 2}, set()),
            ({"audience_count": 9}, {"audience_fell"}),
            ({"audience_count": 0}, {"audience_grew"}),
            ({"audience_count": 9, "cadence": "weekly"}, set()),
            ({"audience_count": 9, "kind": "letter", "cadence": ""}, set()),
        ],
    )
    def test_the_audience(self, good: Issue, fields: dict[str, Any], expected: set[str]) -> None:
        other = self.former(good.newsletter, **fields)
        IssueItem.objects.create(issue=other, article=Article.objects.earliest("pk"))
        assert codes(good) == expected
        assert (history.last_audience(issue=good) is None) is (not expected and fields["audience_count"] == 9)

    def test_the_same_again(self, good: Issue, admin_user: User) -> None:
        approval.approve(issue=good, actor=None, now=timezone.now())
        Issue.objects.update(state=State.SENT, planned_at=timezone.now(), audience_count=2)
        again = Issue.objects.create(newsletter=good.newsletter, kind="digest", cadence="daily", period_key="x")
        for item in good.items.all():
            IssueItem.objects.create(issue=again, article=item.article, position=item.position)
        assert {"same_subject", "same_content"} <= codes(again)

    def test_complaints_and_bounces(self, good: Issue) -> None:
        other = self.former(good.newsletter)
        IssueItem.objects.create(issue=other, article=Article.objects.earliest("pk"))
        IssueOutcome.objects.create(issue=other, state="accepted", copies=970)
        IssueOutcome.objects.create(issue=other, state="rejected", copies=30)
        IssueEventCount.objects.create(issue=other, kind="complaint", events=1)
        assert codes(good) == {"complaints", "bounces"}


class TestApproval:
    """Errors block everybody, warnings block a person until they are accepted."""

    def test_an_error_blocks_a_person_a_command_and_the_clock(self, good: Issue, admin_user: User) -> None:
        Issue.objects.update(subject="Markets TKTK")
        for actor in (admin_user, None):
            with pytest.raises(checking.Blocked, match="TKTK"):
                approval.approve(issue=good, actor=actor, now=timezone.now())
        Issue.objects.update(approves_itself=True)
        composing.approve_waiting(now=timezone.now())
        good.refresh_from_db()
        assert (good.state, good.approves_itself) == (State.DRAFT, False)
        assert "“TKTK” is still to come" in good.reason_sentence, "the first page shows why"

    def test_a_warning_is_accepted_by_name(self, good: Issue, admin_user: User) -> None:
        Issue.objects.update(subject="What TK Maxx sells")
        now = timezone.now()
        with pytest.raises(checking.Blocked, match="Accept this first"):
            approval.approve(issue=good, actor=admin_user, now=now)
        (warning,) = checking.report(issue=Issue.objects.get(pk=good.pk), now=now).warnings
        approval.approve(issue=good, actor=admin_user, now=now, accepted=[warning.key])
        assert Preflight.objects.get().acknowledged[warning.key]["name"] == "admin"
        assert AuditEvent.objects.latest("pk").detail["accepted"] == [warning.text]

    def test_a_warning_stops_no_command(self, good: Issue) -> None:
        Issue.objects.update(subject="What TK Maxx sells")
        assert approval.approve(issue=good, actor=None, now=timezone.now()).state == State.SCHEDULED

    def test_what_was_accepted_counts_for_the_same_sentence_only(self, good: Issue, admin_user: User) -> None:
        Issue.objects.update(subject="x" * 61)
        (warning,) = checking.report(issue=Issue.objects.get(), now=timezone.now()).warnings
        Issue.objects.update(subject="x" * 62)
        with pytest.raises(checking.Blocked):
            approval.approve(issue=good, actor=admin_user, now=timezone.now(), accepted=[warning.key])

    def test_the_page_shows_findings_and_takes_what_is_accepted(self, good: Issue, staff: Staff) -> None:
        Issue.objects.update(subject="What TK Maxx sells")
        publisher, path = staff("Publisher"), f"/admin/digests/issue/{good.pk}/do/approve/"
        shown = publisher.get(path).content.decode()
        key = re.search(r'name="accepted"\s+value="([^"]+)"', shown)
        assert key is not None
        assert "What TK Maxx sells" in shown
        assert "Leaves at once, to <strong>2</strong> readers." in " ".join(shown.split())
        assert "Accept this first" in publisher.post(path, {}).content.decode()
        assert publisher.post(path, {"accepted": key[1]}).status_code == 302


def test_findings_are_stored_and_made_again_when_the_content_changes(good: Issue, now: datetime) -> None:
    moment = timezone.now()
    checking.report(issue=good, now=moment)
    Preflight.objects.update(findings=[{"code": "nobody", "text": "Stored."}, {"code": "unknown", "text": "?"}])
    assert [one.text for one in checking.report(issue=good, now=moment).findings] == ["Stored."]
    assert checking.report(issue=good, now=moment + timedelta(minutes=6)).findings == []
    Preflight.objects.update(findings=[{"code": "nobody", "text": "Stored."}], checked_at=moment)
    Issue.objects.update(subject="Another")
    assert checking.report(issue=Issue.objects.get(), now=moment).findings == []
