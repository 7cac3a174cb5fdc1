"""A reader's answer to an issue is stored once, with what the reader wrote; machines and strangers leave nothing."""

from datetime import datetime
from email.message import EmailMessage

import pytest
from django.conf import LazySettings

from articles.models import Article
from digests import rendering, replies
from digests.feedback import ingestion
from digests.feedback.ingestion import Arrival
from digests.models import Delivery, IssueItem, Reply
from subscribers import consent, erasure
from subscribers.models import Subscriber
from tests.cast import Publish
from tests.table import rows

WORDS = "It was Tuesday.\n\nOn Fri, 28 Nov 2026 at 07:00, Tech News <news@blocknews.example> wrote:\n> What happened."


def mail_of(
    copy: Delivery, *, text: str = WORDS, sender: str = "Anna A. <anna@readers.example>", **fields: str
) -> bytes:
    """What a mail program sends to Reply-To."""
    mail = EmailMessage()
    given = {
        "From": sender, "To": "replies@bounces.blocknews.example", "Subject": "Re: What happened",
        "Message-ID": "<1@phone>", "In-Reply-To": f"<{copy.uuid}@blocknews.example>",
        "Date": "Tue, 06 May 2025 10:00:00 +0000",
    }  # fmt: skip
    for name, value in (given | {key.replace("_", "-"): value for key, value in fields.items()}).items():
        if value:
            mail[name] = value
    mail.set_content(text)
    return bytes(mail)


def test_it_is_stored_once_with_the_readers_words(copy: Delivery, reader: Subscriber, now: datetime) -> None:
    raw = mail_of(copy)
    # A reader of the mailbox that dies before it has flagged the mail reads it again.
    assert [ingestion.take(raw=raw, now=now) for _ in range(2)] == [Arrival.REPLIED, Arrival.REPLIED]
    reply = Reply.objects.get()
    assert (reply.issue, reply.subscriber, reply.delivery_uuid) == (copy.issue, reader, copy.uuid)
    assert (reply.text, reply.subject, reply.sender_name) == ("It was Tuesday.", "Re: What happened", "Anna A.")
    assert reply.quoted.endswith("> What happened.")
    assert reply.is_from_reader


def test_it_is_the_readers_of_the_copy_whoever_sent_it(copy: Delivery, reader: Subscriber, now: datetime) -> None:
    raw = mail_of(copy, sender="bob@elsewhere.net", In_Reply_To="", References=f"<a@b> <{copy.uuid}@blocknews.example>")
    assert ingestion.take(raw=raw, now=now) is Arrival.REPLIED
    reply = Reply.objects.get()
    assert (reply.subscriber, reply.is_from_reader) == (reader, False)


@rows(
    "fields",
    [
        {"Auto_Submitted": "auto-replied"}, {"Precedence": "auto_reply"}, {"X_Autoreply": "yes"},
        {"Return_Path": "<>"}, {"Subject": "Automatic reply: What happened"}, {"Subject": "Автоответ: я в отпуске"},
        {"In_Reply_To": "<00000000-0000-4000-8000-000000000001@blocknews.example>"}, {"In_Reply_To": ""},
    ],
)  # fmt: skip
def test_machines_and_strangers_leave_nothing(copy: Delivery, now: datetime, fields: dict[str, str]) -> None:
    assert ingestion.take(raw=mail_of(copy, **fields), now=now) is Arrival.IGNORED
    assert not Reply.objects.exists()


def test_files_are_named_and_not_kept_and_html_is_read(copy: Delivery, now: datetime) -> None:
    mail = EmailMessage()
    mail["From"], mail["In-Reply-To"] = "anna@readers.example", f"<{copy.uuid}@blocknews.example>"
    html = "<p>It <b>was</b>\nTuesday.</p><script>x</script><blockquote><p>What happened.</p></blockquote>"
    mail.set_content(html, subtype="html")
    mail.add_attachment(b"picture" * 100, maintype="image", subtype="jpeg", filename="me.jpg")
    assert ingestion.take(raw=bytes(mail), now=now) is Arrival.REPLIED
    reply = Reply.objects.get()
    assert reply.text == "It was Tuesday."
    assert reply.quoted == "What happened."
    assert reply.attachments == [{"name": "me.jpg", "size": 700}]


@pytest.mark.sandboxed
def test_it_is_read_by_a_process_of_its_own(copy: Delivery, now: datetime) -> None:
    assert ingestion.take(raw=mail_of(copy), now=now) is Arrival.REPLIED
    assert Reply.objects.get().text == "It was Tuesday."


def test_one_copy_fills_no_table(copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "MOST_PER_COPY", 1)
    assert ingestion.take(raw=mail_of(copy), now=now) is Arrival.REPLIED
    assert ingestion.take(raw=mail_of(copy, Message_ID="<2@phone>"), now=now) is Arrival.IGNORED


def test_nothing_is_kept_of_a_reader_who_was_erased(copy: Delivery, reader: Subscriber, now: datetime) -> None:
    ingestion.take(raw=mail_of(copy), now=now)
    erasure.erase(address_key=reader.address_key, evidence=consent.Evidence(source="admin"), actor=None, now=now)
    assert not Reply.objects.exists()
    assert ingestion.take(raw=mail_of(copy, Message_ID="<2@phone>"), now=now) is Arrival.IGNORED


def test_it_belongs_to_the_story_where_that_is_plain(copy: Delivery, publish: Publish, now: datetime) -> None:
    first, second = publish("First"), publish("Second")

    def story(text: str) -> Article | None:
        return replies.story_of(issue_id=copy.issue_id, text=text, quoted="")

    assert story(f"About https://news.test/articles/{first.slug}/ !") == first
    assert story(f"/articles/{first.slug}/ and /articles/{second.slug}/") is None
    IssueItem.objects.create(issue=copy.issue, article=second)
    assert story("So it is.") == second, "the issue has one story"


def test_answers_come_to_the_desk_where_nobody_said_otherwise(
    copy: Delivery, settings: LazySettings, publication: object
) -> None:
    def reply_to() -> str | None:
        return dict(rendering.headers(issue=copy.issue, subject="S")).get("Reply-To")

    settings.RETURN_DOMAIN = "bounces.blocknews.example"
    assert reply_to() == "replies@bounces.blocknews.example"
    copy.issue.newsletter.reply_to = "desk@blocknews.example"
    assert reply_to() == "desk@blocknews.example"


def test_what_is_old_goes(copy: Delivery, now: datetime, settings: LazySettings) -> None:
    ingestion.take(raw=mail_of(copy), now=now)
    reply = Reply.objects.get()
    later = now + replies.KEEP_SPAM * 2
    assert not replies.forget(now=later)
    replies.settle(reply=reply, state="spam", actor=None, now=now)
    assert replies.forget(now=later)
