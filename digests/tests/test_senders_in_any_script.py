"""An issue goes out under the name that its newsletter has, whatever the script and however long."""

import re
import uuid
from datetime import datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr

from django.core.mail import EmailMultiAlternatives
from pytest_django import Settings

from digests import freezing, proofs
from digests.models import Issue
from digests.sending import merge
from mailkit.tests.test_names_in_any_script import NAMES, assert_lawful, assert_sender
from publication.models import Publication
from subscribers.models import Newsletter
from tests.table import rows


def fields(copy: bytes) -> dict[str, bytes]:
    head = copy.partition(b"\r\n\r\n")[0] + b"\r\n"
    return {field.split(b":")[0].decode(): field for field in re.split(rb"(?<=\r\n)(?=[^ \t])", head) if field}


def letter(issue: Issue) -> Issue:
    return Issue.objects.create(
        newsletter=issue.newsletter, kind=Issue.Kind.LETTER, subject="A letter", introduction="Dear reader."
    )


@rows("kind", ["digest", "article", "letter"])
@rows("name", NAMES)
def test_every_kind_of_issue_is_approved_and_leaves(digest: Issue, now: datetime, kind: str, name: str) -> None:
    name = name.strip()
    Newsletter.objects.update(name=name, reply_to="desk@blocknews.example")
    Publication.objects.update(name=name, sender_name=name)
    issue = letter(digest) if kind == "letter" else digest
    Issue.objects.filter(pk=issue.pk).update(kind=kind, subject=name)
    issue = Issue.objects.select_related("newsletter").get(pk=issue.pk)
    freezing.freeze(issue=issue, now=now)
    row = merge.Row(1, str(uuid.UUID(int=7)), str(uuid.UUID(int=8)), "reader@blocknews.example", name, 1)
    [copy], broken = merge.Merger(Issue.objects.get(pk=issue.pk), needs="payload").copies(rows=[row])
    assert broken == []
    assert copy.payload is not None
    headers = fields(copy.payload)
    for field in headers.values():
        assert_lawful(field)
    assert_sender(headers["From"].replace(b"news@blocknews.example", b"news@example.com"), "From", name)
    read = message_from_bytes(copy.payload)
    unfolded = {key: re.sub(r"\r\n(?=[ \t])", "", value) for key, value in read.items()}
    assert str(make_header(decode_header(unfolded["Subject"]))) == name
    assert name in str(make_header(decode_header(unfolded["List-Id"]))).replace('\\"', '"').replace("\\\\", "\\")
    assert unfolded["List-Id"].endswith("<tech-news.newsletters.127.0.0.1>")
    assert parseaddr(unfolded["To"])[1] == "reader@blocknews.example"


@rows("name", NAMES)
def test_so_does_a_proof(
    digest: Issue, now: datetime, name: str, mailoutbox: list[EmailMultiAlternatives], settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    name = name.strip()
    Newsletter.objects.update(name=name)
    proofs.send_proof(
        issue=Issue.objects.select_related("newsletter").get(pk=digest.pk),
        to="desk@blocknews.example",
        actor=None,
        now=now,
    )
    headers = fields(mailoutbox[0].message().as_bytes(linesep="\r\n"))  # type: ignore[call-arg]  # Django's own message class takes it
    for field in headers.values():
        assert_lawful(field)
    assert_sender(headers["From"].replace(b"news@blocknews.example", b"news@example.com"), "From", name)
