"""manage.py compose_digest, as other programs call it."""

import subprocess
import sys
from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from digests import composing
from digests.models import Issue
from subscribers import cadences
from subscribers.models import CadenceOffer, Newsletter
from tests import clocks
from tests.cast import Publish
from tests.table import rows


def run(*arguments: str) -> tuple[Issue, str]:
    out, err = StringIO(), StringIO()
    call_command("compose_digest", *arguments, stdout=out, stderr=err)
    return Issue.objects.get(pk=int(out.getvalue())), err.getvalue()


def headlines(issue: Issue) -> list[str]:
    return [item.article.headline for item in issue.items.all()]


def test_it_prints_the_id_and_says_what_it_made(newsletter: Newsletter, publish: Publish) -> None:
    publish("One", timezone.now() - timedelta(minutes=1))
    issue, output = run("tech-news", "--cadence", "daily")
    assert (issue.state, headlines(issue)) == (Issue.State.DRAFT, ["One"])
    assert output == f"Issue {issue.pk} (Tech News, daily, period {issue.period_key}) has 1 story and is draft.\n"


def test_several_times_a_day_each_takes_what_is_new(newsletter: Newsletter, publish: Publish) -> None:
    issues = []
    for name in ("One", "Two", "Three"):
        publish(name, timezone.now())
        issues.append(run("tech-news", "--cadence", "daily")[0])
    assert [headlines(issue) for issue in issues] == [["One"], ["Two"], ["Three"]]


def test_approve_freezes_it_and_lets_it_leave(newsletter: Newsletter, publish: Publish) -> None:
    publish("One", timezone.now() - timedelta(minutes=1))
    issue, _ = run("tech-news", "--cadence", "weekly", "--approve")
    assert (issue.state, issue.number, issue.snapshot.subject) == (Issue.State.SCHEDULED, 1, "One")


def test_without_a_story_nothing_is_sent_and_it_says_so(newsletter: Newsletter) -> None:
    issue, output = run("tech-news", "--cadence", "daily", "--approve")
    assert issue.state == Issue.State.CANCELLED
    assert output.endswith("will not be sent. No story was published in this window.\n")


@pytest.mark.parametrize(
    "times", [("2025-05-06T07:00", "2025-05-06T05:00Z"), ("2025-05-06T08:00", "2025-05-07T06:59+02:00")]
)
def test_as_of_a_time_there_is_one_digest_per_period(
    newsletter: Newsletter, publish: Publish, now: datetime, times: tuple[str, str]
) -> None:
    publish("One", now - timedelta(hours=6))
    first, _ = run("tech-news", "--cadence", "daily", "--at", times[0])
    second, output = run("tech-news", "--cadence", "daily", "--at", times[1])
    assert first == second
    assert (first.period_key, headlines(first)) == ("2025-05-06", ["One"])
    assert output.endswith("had been composed before; it is draft.\n")


@rows(
    ("arguments", "sentence"),
    [
        (("nothing", "--cadence", "daily"), "There is no newsletter “nothing”. Known are: tech-news."),
        (("tech-news", "--cadence", "hourly"), "does not offer “hourly”; it offers daily, instant, weekly."),
        (("tech-news", "--cadence", "instant"), f"Digests are {cadences.names_of_digests()}"),
        (("tech-news", "--cadence", "daily", "--at", "tomorrow"), "Write the time of --at like"),
        (("tech-news", "--cadence", "daily", "--at", "0001-01-01T00:00"), "a year from 2000 to 2100"),
        (("tech-news", "--cadence", "daily", "--at", "9999-12-31T23:59"), "a year from 2000 to 2100"),
    ],
)
def test_bad_input_gets_one_sentence(newsletter: Newsletter, arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
    assert not Issue.objects.exists()


def test_what_cannot_be_approved_stays_a_draft_and_says_why(newsletter: Newsletter, publish: Publish) -> None:
    publish("One", timezone.now() - timedelta(minutes=1))
    newsletter.sender_address = "nobody@127.0.0.1"
    newsletter.save()
    with pytest.raises(CommandError, match="Check the addresses of sender"):
        run("tech-news", "--cadence", "daily", "--approve")
    assert Issue.objects.get().state == Issue.State.DRAFT


def test_the_clock_goes_on_where_it_ended(newsletter: Newsletter, publish: Publish) -> None:
    CadenceOffer.objects.exclude(cadence="daily").delete()
    publish("One", timezone.now() - timedelta(minutes=1))
    by_hand, _ = run("tech-news", "--cadence", "daily")
    tomorrow = timezone.now() + timedelta(days=1)
    publish("Two", timezone.now())
    with clocks.at(tomorrow):
        (by_clock,) = composing.compose_due(now=tomorrow)
    assert by_clock.window_start == by_hand.window_end
    assert headlines(by_clock) == ["Two"]


@pytest.mark.slow
def test_help_tells_about_both_ways() -> None:
    output = subprocess.run(
        [sys.executable, "manage.py", "compose_digest", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "neither replaced nor prevented" in output
    assert "one digest per period" in output
