"""manage.py lift_bounces: suppressions of one incident are lifted, and nothing else."""

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from digests.feedback import processing
from digests.models import Issue
from digests.tests import copies
from subscribers import suppression
from subscribers.models import Newsletter, Suppression
from tests.table import rows

GONE = {"mta_response": "550 5.1.1 no such user"}


@pytest.fixture
def issue(newsletter: Newsletter, now: datetime) -> Issue:
    """Three readers were called gone, one of whom complained as well; a fourth bounced in another issue."""
    issue, other = copies.issue(newsletter, audience=3), copies.issue(newsletter)
    for name, of in {"anna": issue, "ben": issue, "cleo": issue, "dora": other}.items():
        copy = copies.copy(of, copies.reader(newsletter, f"{name}@readers.example"))
        provider = "smtp" if of is other else "dsn"
        processing.record(event=copies.event("bounced", copy, **GONE), provider=provider, now=now)
        if name == "cleo":
            processing.record(event=copies.event("complained", copy), provider="arf", now=now)
    suppression.suppress(
        address_key="eve@readers.example",
        reason=Suppression.Reason.HARD_BOUNCE,
        actor=None,
        now=now - timedelta(days=1),
    )
    Issue.objects.update(created_at=now - timedelta(hours=1))
    return issue


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("lift_bounces", *arguments, stdout=out)
    return out.getvalue()


def left() -> list[str]:
    return sorted(Suppression.objects.values_list("reason", flat=True))


def test_without_apply_it_only_says_how_many(issue: Issue) -> None:
    assert run(f"--issue={issue.pk}").startswith("2 readers are suppressed")
    assert len(left()) == 5


def test_the_bounces_of_one_issue_are_lifted_and_a_complaint_stays(issue: Issue) -> None:
    assert run(f"--issue={issue.pk}", "--apply").startswith("2 readers are mailed again")
    assert left() == ["complaint", "hard_bounce", "hard_bounce"]


def test_the_bounces_of_a_time_and_a_reporter_are_lifted(issue: Issue, now: datetime) -> None:
    since = (now - timedelta(minutes=5)).isoformat()
    assert run(f"--since={since}", "--provider=smtp", "--apply").startswith("1 readers are mailed again")
    assert run(f"--since={since}", f"--until={since}", "--apply").startswith("0 readers")


@rows(
    ("arguments", "sentence"),
    [
        ([], "Say which bounces"),
        (["--issue=999999"], "There is no issue 999999"),
        (["--since=yesterday"], "--since is a time such as"),
        (["--since=2026-02-30T00:00:00"], "--since is a time such as"),
    ],
)
def test_an_incident_that_is_not_described_is_refused(db: None, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
