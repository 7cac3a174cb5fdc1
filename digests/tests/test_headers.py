"""The header fields of a bulk mail, as mail programs and large receivers ask for them."""

import re
from datetime import datetime

import pytest

from digests import rendering
from digests.models import Issue
from publication.models import Publication
from subscribers.models import Newsletter
from tests import raw_rows
from tests.table import rows


def headers(issue: Issue, subject: str = "Third") -> dict[str, str]:
    issue.newsletter.refresh_from_db()
    fields = rendering.headers(issue=issue, subject=subject)
    assert len({name.lower() for name, _ in fields}) == len(fields), "a field occurs twice"
    return dict(fields)


def test_what_every_copy_carries(digest: Issue) -> None:
    page = "<http://127.0.0.1:8000/newsletters/tech-news/>"
    assert headers(digest) == {
        "From": "Tech News <news@blocknews.example>",
        "To": "%%to%%",
        "Subject": "Third",
        "Date": "%%date%%",
        "Message-ID": "%%message_id%%",
        "List-Id": "Tech News <tech-news.newsletters.127.0.0.1>",
        "List-Unsubscribe": "<%%unsubscribe_url%%>, "
        "<mailto:news@blocknews.example?subject=unsubscribe-%%unsubscribe_token%%>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Subscribe": page,
        "List-Archive": page,
        "List-Help": page,
        "List-Owner": "<mailto:news@blocknews.example>",
        "Feedback-ID": f"{digest.pk}:tech-news:digest:127.0.0.1",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Precedence": "bulk",
    }


def test_only_slots_that_the_engine_fills(digest: Issue) -> None:
    slots = set(re.findall(r"%%(\w+)%%", " ".join(headers(digest).values())))
    assert slots == {"to", "date", "message_id", "unsubscribe_url", "unsubscribe_token"}
    assert slots <= set(rendering.SLOTS)


def test_a_newsletters_own_sender_and_replies_win(digest: Issue) -> None:
    Publication.objects.update(reply_to="house@blocknews.example", contact_address="desk@blocknews.example")
    assert headers(digest)["Reply-To"] == "house@blocknews.example"
    Newsletter.objects.update(
        sender_name="The Müller, Jr.", sender_address="tech@straße.example", reply_to="tech@blocknews.example"
    )
    fields = headers(digest)
    assert fields["From"] == '"The Müller, Jr." <tech@xn--strae-oqa.example>'
    assert fields["Reply-To"] == "tech@blocknews.example"
    assert fields["List-Owner"] == "<mailto:desk@blocknews.example>"
    assert "<mailto:tech@blocknews.example?subject" in fields["List-Unsubscribe"]


def test_a_name_with_marks_is_quoted_in_list_id(digest: Issue) -> None:
    Newsletter.objects.update(name='Tech, "the" News')
    assert headers(digest)["List-Id"].startswith('"Tech, \\"the\\" News" <tech-news.')


@rows("character", ["\r", "\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u202e"])
@rows("field", ["sender_name", "name"])
def test_characters_that_end_a_header_early_are_refused(digest: Issue, field: str, character: str) -> None:
    raw_rows.write(Newsletter, **{field: f"Tech{character}Bcc: x@y.example"})
    with pytest.raises(rendering.RenderingError, match="invisible"):
        headers(digest)


def test_a_hostile_subject_is_refused(digest: Issue, now: datetime) -> None:
    with pytest.raises(rendering.RenderingError, match="Subject: Character 2"):
        headers(digest, subject="a\x0bBcc: x@y.example")


def test_without_a_sender_it_says_what_to_set(digest: Issue) -> None:
    Publication.objects.update(sender_address="")
    with pytest.raises(rendering.RenderingError, match="Set the sender's address"):
        headers(digest)
