"""One reader's copy as it goes over the wire: what a mail program and a large receiver check."""

import email
import email.policy
import uuid
from datetime import datetime
from email.message import EmailMessage

import pytest

from articles.models import Article
from digests import freezing
from digests.models import Issue
from digests.sending import merge


@pytest.fixture
def copy(digest: Issue, now: datetime) -> bytes:
    Article.objects.filter(headline="Third").update(
        headline="Третий: “ünïcode” headline, long enough to need folding " * 3
    )
    freezing.freeze(issue=digest, now=now)
    row = merge.Row(
        delivery_id=1,
        delivery_uuid=str(uuid.UUID(int=7)),
        subscriber_uuid=str(uuid.UUID(int=8)),
        address="reader@blocknews.example",
        name="Müller, Jörg",
        token_version=1,
    )
    digest.refresh_from_db()
    ((built,), broken) = merge.Merger(digest, needs="payload").copies(rows=[row])
    assert broken == []
    assert built.payload is not None
    return built.payload


def parsed(copy: bytes) -> EmailMessage:
    read = email.message_from_bytes(copy, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


def test_it_reads_back_without_a_defect(copy: bytes) -> None:
    read = parsed(copy)
    assert [part.get_content_type() for part in read.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert not [defect for part in read.walk() for defect in part.defects]
    assert not [defect for name in read for defect in read[name].defects]
    assert [(who.display_name, who.addr_spec) for who in read["To"].addresses] == [
        ("Müller, Jörg", "reader@blocknews.example")
    ]
    assert read["Subject"].startswith("Третий: “ünïcode” headline")


def test_its_lines_are_valid(copy: bytes) -> None:
    assert b"\n" not in copy.replace(b"\r\n", b"")
    assert b"\r" not in copy.replace(b"\r\n", b"")
    assert max(len(line) for line in copy.split(b"\r\n")) <= 998
    assert copy.isascii()


def test_the_unsubscribe_header_is_not_encoded(copy: bytes) -> None:
    """RFC 8058: a receiver posts to the https address; neither it nor the mailto may be an encoded word."""
    raw = copy.split(b"\r\n\r\n")[0].decode().replace("\r\n ", " ")
    (line,) = [line for line in raw.split("\r\n") if line.startswith("List-Unsubscribe:")]
    url, mailto = (part.strip(" <>") for part in line.removeprefix("List-Unsubscribe:").split(","))
    assert url.startswith("http://127.0.0.1:8000/unsubscribe/")
    assert mailto.startswith("mailto:news@blocknews.example?subject=unsubscribe-")
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in raw
    body = parsed(copy).get_body(("html",))
    assert body is not None
    assert f'href="{url}"' in body.get_content()


def test_no_slot_is_left_and_the_reader_is_named_nowhere_else(copy: bytes) -> None:
    read = parsed(copy)
    for kind in ("plain", "html"):
        body = read.get_body((kind,))
        assert body is not None
        assert "%%" not in body.get_content()
        assert "reader@" not in body.get_content()
    assert copy.count(b"reader@blocknews.example") == 1
