"""Each copy is its reader's own: addressed to them, with links that are theirs and lead where they say."""

from __future__ import annotations

import email
import email.policy
import re
import uuid
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import merge
from digests.sending.tests.conftest import frozen_issue
from mailkit import tokens
from subscribers import links
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db


def row(number: int, *, name: str = "", version: int = 1) -> merge.Row:
    return merge.Row(number, str(uuid.uuid4()), str(uuid.uuid4()), f"r{number}@readers.example", name, version)


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    return Issue.objects.select_related("newsletter", "snapshot").get(pk=frozen_issue(newsletter).pk)


def test_its_links_are_the_readers_own(issue: Issue, settings: Any) -> None:
    rows = [row(1, version=3), row(2)]
    built, _ = merge.Merger(issue, needs="payload").copies(rows=rows)
    for one, copy in zip(rows, built, strict=True):
        assert copy.payload is not None
        text = copy.payload.replace(b"=\r\n", b"").replace(b"=3D", b"=").decode()
        links_in_text = re.findall(rf"{re.escape(settings.SITE_URL)}/(unsubscribe|preferences)/([^/]+)/", text)
        claims = {purpose: tokens.read(token, purpose=purpose, max_age=None) for purpose, token in links_in_text}
        assert claims == {
            links.UNSUBSCRIBE: {"s": uuid.UUID(one.subscriber_uuid).hex, "n": issue.newsletter_id},
            links.PREFERENCES: {"s": uuid.UUID(one.subscriber_uuid).hex, "v": one.token_version},
        }
        assert copy.merge["unsubscribe_token"] == dict(links_in_text)["unsubscribe"]


@rows("needs", ["payload", "stuffed", "merge"])
def test_a_transport_gets_the_form_that_it_reads(issue: Issue, needs: Any) -> None:
    merger = merge.Merger(issue, needs=needs)
    ((copy,), _) = merger.copies(rows=[row(1)])
    assert (copy.message is merger.compiled, copy.payload is not None) == (needs == "merge", needs == "payload")
    assert bool(copy.stuffed) is (needs == "stuffed")
    assert copy.recipient == "r1@readers.example"


def test_it_is_addressed_to_its_reader_with_and_without_a_name(issue: Issue) -> None:
    rows = [row(1, name="Müller, Jörg"), row(2)]
    built, _ = merge.Merger(issue, needs="payload").copies(rows=rows)
    read = [email.message_from_bytes(copy.payload or b"", policy=email.policy.default) for copy in built]
    assert [one["To"].addresses[0].display_name for one in read] == ["Müller, Jörg", ""]
    assert [one["To"].addresses[0].addr_spec for one in read] == [one.address for one in rows]
    assert str(built[1].merge["to"]) == "r2@readers.example"
    # No two copies have one name, or a receiver would drop the second; it is in the sender's domain.
    assert [one["Message-ID"] for one in read] == [f"<{one.delivery_uuid}@example.com>" for one in rows]


@rows("name", ["=?x?q?=FF?=", "=?utf-8?q?a=0D=0ABcc:_b@y.example?=", "=?utf-8?q?x_=3Cv@y.example=3E?="])
def test_a_name_that_reads_as_an_encoded_word_costs_nobody_a_copy_and_adds_no_address(issue: Issue, name: str) -> None:
    built, broken = merge.Merger(issue, needs="payload").copies(rows=[row(1, name=name)])
    assert broken == []
    read = email.message_from_bytes(built[0].payload or b"", policy=email.policy.default)
    assert [(one.display_name, one.addr_spec) for one in read["To"].addresses] == [("", "r1@readers.example")]


def test_a_reader_whose_copy_cannot_be_built_is_not_named_in_the_log(
    issue: Issue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_self: merge.Merger, row: merge.Row) -> dict[str, str]:
        raise ValueError(row.address)

    monkeypatch.setattr(merge.Merger, "values", fail)
    assert merge.Merger(issue, needs="payload").copies(rows=[row(7)]) == ([], [7])
    assert "delivery 7 did not render: ValueError" in caplog.text
    assert "readers.example" not in caplog.text


def test_who_may_be_mailed_is_asked_as_of_now(issue: Issue) -> None:
    """Not as of the approval: a reader who paused since is left out."""
    before = timezone.now()
    _, values = merge.Merger(issue, needs="payload").mailable
    assert [one for one in values if isinstance(one, type(before))]
    assert all(one >= before for one in values if isinstance(one, type(before)))
