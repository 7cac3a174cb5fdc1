"""The page on which an issue is composed, its looks, and the page on which it waits."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from articles.models import Article
from digests import approval
from digests.models import Issue
from digests.tests import multilingual
from digests.tests.editing import change, items
from subscribers.models import Subscriber
from tests.cast import Publish, Readers, Staff
from tests.table import rows

pytestmark = pytest.mark.django_db


def test_the_page_names_newsletter_cadence_and_day_and_has_one_main_button(digest: Issue, staff: Staff) -> None:
    page = staff("Publisher").get(change(digest)).content.decode()
    assert "Tech News, daily, for Tuesday 6 May" in page
    assert page.count('class="desk-main"') == 2, "to approve, and to save"
    assert page.count("desk-story") >= 3
    editor = staff("Editor").get(change(digest)).content.decode()
    assert "Ask for approval" in editor


def test_stories_are_arranged_and_taken_in_by_one_post(digest: Issue, publish: Publish, staff: Staff) -> None:
    late = publish("Late", timezone.now())
    multilingual.speak("ru")
    russian = multilingual.translate(late, "ru", "Поздно", timezone.now())
    editor = staff("Editor")
    page = " ".join(editor.get(change(digest)).content.decode().split())
    assert f'name="take_in" value="{late.pk}"' in page
    assert f'name="take_in" value="{russian.pk}"' not in page, "its readers get it in place of the story in English"
    first = {"items-0-position": "2", "items-1-position": "0", "items-2-position": "1", "items-1-included": "off"}
    data = items(digest, **first) | {"take_in": [str(late.pk), "9" * 5000], "sponsor": "Acme"}
    assert editor.post(change(digest), data).status_code == 302
    rows = list(digest.items.order_by("position").values_list("article__headline", "included"))
    assert rows == [("Second", False), ("First", True), ("Third", True), ("Late", True)]
    digest.refresh_from_db()
    assert (digest.sponsor, digest.edited_by.username if digest.edited_by else "") == ("Acme", "editor")
    for part, words in {"html": "Advertisement", "text": "Advertisement", "dark": "Acme"}.items():
        assert words in editor.get(f"/admin/digests/issue/{digest.pk}/preview/{part}/").content.decode()


def test_the_mail_as_one_reader_gets_it(digest: Issue, readers: Readers, staff: Staff) -> None:
    (subscription,) = readers(1)
    path, address = f"/admin/digests/issue/{digest.pk}/as-reader/", subscription.subscriber.address
    publisher = staff("Publisher")
    page = publisher.post(path, {"reader": address}).content.decode()
    assert address in page
    assert "%%" not in page
    assert "/unsubscribe" not in page
    assert "is no reader of" in publisher.post(path, {"reader": "nobody@readers.example"}).content.decode()
    assert staff("Author").post(path, {"reader": address}).status_code == 403


def test_the_reader_is_searched_by_the_beginning_of_address_or_name(
    digest: Issue, readers: Readers, staff: Staff
) -> None:
    first, second = (row.subscriber for row in readers(2))
    Subscriber.objects.filter(pk=second.pk).update(name="Aigul Roe")
    path, publisher = f"/admin/digests/issue/{digest.pk}", staff("Publisher")

    def offered(words: str) -> list[list[str]]:
        rows: list[list[str]] = publisher.post(f"{path}/find-reader/", {"reader": words}).json()["readers"]
        return rows

    assert offered("aigul r") == offered(second.address.upper()[:-3]) == [[second.address, "Aigul Roe"]]
    assert offered("a") == []
    both = first.address[: len(first.address) // 3]
    assert [address for address, _name in offered(both)] == sorted([first.address, second.address])
    assert "Several readers fit" in publisher.post(f"{path}/as-reader/", {"reader": both}).content.decode()
    assert f"To Aigul Roe &lt;{second.address}&gt;" in (
        publisher.post(f"{path}/as-reader/", {"reader": "Aigul"}).content.decode()
    )
    assert staff("Author").post(f"{path}/find-reader/", {"reader": both}).status_code == 403


def test_an_approved_issue_shows_when_it_leaves_and_is_taken_back_by_one_click(
    digest: Issue, staff: Staff, settings: Settings
) -> None:
    settings.UNDO_SECONDS = 60
    publisher = staff("Publisher")
    assert publisher.post(f"/admin/digests/issue/{digest.pk}/do/approve/", {}).status_code == 302
    page = publisher.get(change(digest)).content.decode()
    assert 'id="countdown"' in page
    assert "Take it back" in page
    assert publisher.post(f"/admin/digests/issue/{digest.pk}/do/reopen/").status_code == 302
    digest.refresh_from_db()
    assert digest.state == Issue.State.DRAFT
    approval.approve(issue=digest, actor=None, now=timezone.now(), when=timezone.now() + timedelta(days=9))
    assert 'id="countdown"' not in publisher.get(change(digest)).content.decode()


@rows("change", ["words", "story", "hour"])
def test_nobody_approves_what_their_page_did_not_show(digest: Issue, staff: Staff, change: str) -> None:
    publisher, path = staff("Publisher"), f"/admin/digests/issue/{digest.pk}/do/approve/"

    def shown() -> str:
        return str(publisher.get(path).context["form"].facts["report"].fingerprint)

    stale = shown()
    match change:
        case "words":
            Issue.objects.update(introduction="Something else.")
        case "story":
            Article.objects.update(headline="Something else")
        case "hour":
            Issue.objects.update(scheduled_for=timezone.now() + timedelta(hours=3))
    page = publisher.post(path, {"seen": stale}).content.decode()
    assert "changed since you opened this page" in page
    assert f'name="seen" value="{shown()}"' in page
    assert publisher.post(path, {"seen": shown()}).status_code == 302


def test_the_approval_asks_for_the_password_when_the_sign_in_is_old(digest: Issue, staff: Staff) -> None:
    publisher, path = staff("Publisher"), f"/admin/digests/issue/{digest.pk}/do/approve/"
    with time_machine.travel(timezone.now() + timedelta(minutes=20), tick=True):
        assert 'name="password_again"' in publisher.get(path).content.decode()
        assert "This field is required" in publisher.post(path, {}).content.decode()
        assert publisher.post(path, {"password_again": "secret"}).status_code == 302
    digest.refresh_from_db()
    assert digest.state != Issue.State.DRAFT
