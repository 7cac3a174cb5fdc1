"""A reply at the desk: given to a story, published below it as a letter to the editor, withdrawn, erased."""

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from articles.models import Article, ReaderLetter
from digests import reader_copies, replies
from digests.models import Delivery, Reply
from digests.tests import copies
from publication import groups
from staff import limits
from staff.models import AuditEvent, LimitKind
from subscribers import consent, erasure
from subscribers.models import Newsletter
from tests.cast import Publish, Staff, account, make_newsletter, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def reply(newsletter: Newsletter) -> Reply:
    """Anna answered an issue, and it is about no story yet."""
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter), Delivery.State.ACCEPTED)
    assert replies.store(
        copy=copy, fingerprint="1", sender_name="Anna A.", sender="anna@readers.example", is_from_reader=True,
        subject="Re: What happened", text="It was Tuesday.\n\nNot <b>Monday</b>.", quoted="> What happened.",
        attachments=[{"name": "me.jpg", "size": 7}], received_at=timezone.now(),
    )  # fmt: skip
    return Reply.objects.get()


def shown(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def letters(story: Article) -> Any:
    """Those on the public page of the story."""
    page = BeautifulSoup(Client().get(story.get_absolute_url()).content, "html5lib")
    words = [one.get_text("|", strip=True) for one in page.select(".reader-letter blockquote")]
    return list(zip(words, [one.text for one in page.select(".reader-letter figcaption")], strict=True))


def test_an_editor_publishes_it_with_one_click_and_takes_it_back(reply: Reply, publish: Publish, staff: Staff) -> None:
    story, editor, page = publish("Tuesday or Monday"), staff(groups.EDITOR), f"/admin/replies/{reply.pk}/"
    assert f'href="{page}"' in shown(editor, "/admin/"), "it waits on the first page"
    assert "It was Tuesday." in shown(editor, "/admin/replies/")
    first = shown(editor, page)
    assert "What the mail quotes" in first
    assert "me.jpg" in first
    assert "mailto:anna@readers.example" in first
    assert "Choose its story first" in first
    assert editor.post(page, {"act": "publish", "name": "Anna", "text": "So."}).status_code == 200
    editor.post(page, {"act": "assign", "story": str(story.pk)})
    form = BeautifulSoup(editor.get(page).content, "html5lib")
    name, text = form.select_one("#letter-name"), form.select_one("#letter-text")
    assert name is not None
    assert text is not None
    assert letters(story) == []
    for _click in range(2):
        editor.post(page, {"act": "publish", "name": name["value"], "text": text.text})
    assert letters(story) == [("It was Tuesday.|Not <b>Monday</b>.", "Anna A.")]
    assert "It was Tuesday" not in Client().get("/feed/").content.decode()
    reply.refresh_from_db()
    assert (reply.state, reply.handled_by.username if reply.handled_by else "") == ("done", "editor")
    assert editor.post(page, {"act": "spam"}).status_code == 200, "a public letter is no spam"
    editor.post(page, {"act": "withdraw"})
    assert letters(story) == []
    acts = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert [act for act in acts if "repl" in act or "letter" in act] == [
        "reply_assigned", "reader_letter_published", "reader_letter_withdrawn",
    ]  # fmt: skip
    assert editor.post(page, {"act": "assign", "story": "9" * 5000}).status_code == 302, "no number of a story"


def test_an_address_is_never_published(reply: Reply, publish: Publish) -> None:
    Reply.objects.update(story=publish("Tuesday"))
    for name, text in (("anna@readers.example", "So."), ("Anna", "Write to anna@readers.example."), ("", "So.")):
        with pytest.raises(replies.NotPossible):
            replies.publish(reply=reply, name=name, text=text, actor=None, now=timezone.now())
    assert not ReaderLetter.objects.exists()


def test_an_erasure_takes_the_public_letter_along(reply: Reply, publish: Publish) -> None:
    story = publish("Tuesday")
    Reply.objects.update(story=story)
    replies.publish(reply=reply, name="Anna", text="It was Tuesday.", actor=None, now=timezone.now())
    data = reader_copies.of(subscriber=reply.subscriber)[0]["replies"][0]
    assert (data["text"], data["published_as"]["name"]) == (reply.text, "Anna"), "the reader's own data has it"
    assert len(letters(story)) == 1
    erasure.erase(
        address_key=reply.subscriber.address_key, evidence=consent.Evidence(source="admin"), actor=None,
        now=timezone.now(),
    )  # fmt: skip
    assert letters(story) == []
    assert not ReaderLetter.objects.exists()


def test_replies_to_other_newsletters_are_not_there(reply: Reply) -> None:
    limited = account("lea", groups.EDITOR)
    money = make_newsletter("Money")
    limits.change(user=limited, kind=LimitKind.NEWSLETTER, chosen=[money.pk], actor=None, now=timezone.now())
    browser = signed_in(limited)
    assert "Tuesday" not in shown(browser, "/admin/replies/")
    assert browser.get(f"/admin/replies/{reply.pk}/").status_code == 404
    assert "Tuesday" not in shown(browser, "/admin/")


def test_the_page_of_a_story_with_letters_has_no_date_of_its_own(reply: Reply, publish: Publish) -> None:
    """A letter is no change of the story, so a browser that asks by date would keep the page without it."""
    story = publish("Tuesday")
    dated = Client().get(story.get_absolute_url()).headers["Last-Modified"]
    Reply.objects.update(story=story)
    replies.publish(reply=reply, name="Anna", text="It was Tuesday.", actor=None, now=timezone.now())
    assert Client().get(story.get_absolute_url(), headers={"If-Modified-Since": dated}).status_code == 200
