"""manage.py deliveries: every copy on a line that a spreadsheet may open."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from digests.models import Delivery, Issue
from digests.tests import copies
from subscribers.models import Newsletter, Subscriber
from tests import raw_rows
from tests.table import rows

State = Delivery.State
AT = datetime(2025, 5, 6, 9, 1, 2, 345678, tzinfo=UTC)


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    return copies.issue(newsletter)


def listed(issue: Issue) -> list[list[str]]:
    return list(csv.reader(io.StringIO(raw(issue), newline="")))


def raw(issue: Issue) -> str:
    out = io.StringIO(newline="")
    call_command("deliveries", str(issue.pk), stdout=out)
    return out.getvalue()


def test_one_line_per_copy(issue: Issue, newsletter: Newsletter) -> None:
    copies.copy(issue, copies.reader(newsletter), State.REJECTED, settled_at=AT, reason="mailbox_gone")
    copies.copy(issue, copies.reader(newsletter, "berta@readers.example"), State.PENDING, attempted_at=None)
    copies.copy(copies.issue(newsletter), copies.reader(newsletter, "other@readers.example"))

    assert listed(issue) == [
        ["address", "state", "reason", "time"],
        ["anna@readers.example", "rejected", "The mailbox does not exist.", "2025-05-06T09:01:02+00:00"],
        ["berta@readers.example", "pending", "", ""],
    ]


def test_an_erased_reader_has_a_line_without_an_address(issue: Issue, newsletter: Newsletter) -> None:
    reader = copies.reader(newsletter)
    copies.copy(issue, reader, State.ACCEPTED, settled_at=AT)
    reader.delete()

    assert listed(issue)[1][:2] == ["", "accepted"]


def test_the_time_of_an_attempt_stands_in_while_nothing_is_settled(issue: Issue) -> None:
    copies.copy(issue, None, State.ATTEMPTING)

    assert listed(issue)[1][3] == "2025-05-06T09:00:00+00:00"


def test_lines_end_as_rfc_4180_wants_and_commas_are_quoted(issue: Issue) -> None:
    copies.copy(issue, None, State.REJECTED, settled_at=AT)
    raw_rows.write(Delivery, reason_parameters=json.dumps({"text": '550 "no", they said\r\nand again'}), reason="other")

    text = raw(issue)

    assert text.startswith("address,state,reason,time\r\n")
    assert '"550 ""no"", they said\r\nand again"' in text
    assert listed(issue)[1][2] == '550 "no", they said\r\nand again'


@rows("start", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_a_formula_is_text(issue: Issue, start: str) -> None:
    copies.copy(issue, None, State.REJECTED, settled_at=AT)
    raw_rows.write(Delivery, reason="other", reason_parameters=json.dumps({"text": f"{start}HYPERLINK(1)"}))

    assert listed(issue)[1][2] == f"'{start}HYPERLINK(1)"


def test_an_address_may_begin_like_a_formula(issue: Issue, newsletter: Newsletter) -> None:
    copies.copy(issue, copies.reader(newsletter, "+anna@readers.example"), State.ACCEPTED)

    assert listed(issue)[1][0] == "'+anna@readers.example"


def test_many_copies_are_streamed(issue: Issue) -> None:
    Delivery.objects.bulk_create([Delivery(issue=issue) for _ in range(4_500)])

    assert len(listed(issue)) == 4_501
    assert Subscriber.objects.count() == 0


def test_an_issue_that_does_not_exist(db: None) -> None:
    with pytest.raises(CommandError, match=r"There is no issue 17\."):
        call_command("deliveries", "17")


def settle(issue: Issue, *arguments: str) -> str:
    out = io.StringIO()
    call_command("deliveries", str(issue.pk), *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def two_uncertain(issue: Issue, newsletter: Newsletter) -> Issue:
    for name in ("anna", "berta"):
        copies.copy(issue, copies.reader(newsletter, f"{name}@readers.example"), State.UNCERTAIN)
    copies.copy(issue, copies.reader(newsletter, "carl@readers.example"), State.REJECTED)
    return issue


def states(issue: Issue) -> list[str]:
    return list(issue.deliveries.order_by("pk").values_list("state", flat=True))


def test_one_state_can_be_listed_alone(two_uncertain: Issue) -> None:
    output = settle(two_uncertain, "--state", "rejected")

    assert [line.split(",")[0] for line in output.splitlines()] == ["address", "carl@readers.example"]


@pytest.mark.parametrize(("choice", "after"), [("--accept", "accepted"), ("--resend", "pending")])
def test_uncertain_copies_are_settled_all_or_one_by_one(two_uncertain: Issue, choice: str, after: str) -> None:
    output = settle(two_uncertain, choice, "Berta@readers.example")
    assert output.startswith(f"1 uncertain copy of issue {two_uncertain.pk} ")
    assert states(two_uncertain) == ["uncertain", after, "rejected"]

    assert settle(two_uncertain, choice, "all").startswith("1 uncertain copy")
    assert states(two_uncertain) == [after, after, "rejected"]


@rows("who", ["carl@readers.example", "nobody@readers.example", "everybody"])
def test_who_is_not_uncertain_is_refused_and_nothing_is_changed(two_uncertain: Issue, who: str) -> None:
    with pytest.raises(CommandError, match=r"^The 2\. .*(nothing was changed|nor an address)") as refusal:
        settle(two_uncertain, "--accept", "anna@readers.example", who)

    assert who not in str(refusal.value)
    assert states(two_uncertain) == ["uncertain", "uncertain", "rejected"]


def test_both_choices_at_once_are_refused(two_uncertain: Issue) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        settle(two_uncertain, "--accept", "all", "--resend", "all")


def test_copies_of_a_cancelled_issue_are_not_sent_again(two_uncertain: Issue) -> None:
    Issue.objects.update(state=Issue.State.CANCELLED)

    with pytest.raises(CommandError, match="was cancelled"):
        settle(two_uncertain, "--resend", "all")
