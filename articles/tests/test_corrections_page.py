"""The public page of corrections: what it lists, in which order, and what it keeps to itself."""

import json
from datetime import datetime, timedelta

from bs4 import BeautifulSoup
from django.test import Client

from articles import publishing
from articles.models import Article
from publication.models import Publication
from tests.cast import Publish

PAGE = "/corrections/"


def listed(client: Client, path: str = PAGE) -> list[str]:
    """The words of each note."""
    page = BeautifulSoup(client.get(path).content, "html.parser")
    return [" ".join(note.get_text(" ").split()) for note in page.select(".notes > li")]


def test_it_lists_what_was_corrected_the_newest_first(client: Client, publish: Publish, now: datetime) -> None:
    first, second = publish("First"), publish("Second")
    publishing.correct(article=first, text="It was seven, not nine.", actor=None, now=now)
    publishing.correct(article=second, text="The name is Asel.", actor=None, now=now + timedelta(days=1))
    publishing.correct(article=first, text="It was eight.", actor=None, now=now + timedelta(days=2))
    assert listed(client) == [
        "8 May 2025 First It was eight.",
        "7 May 2025 Second The name is Asel.",
        "6 May 2025 First It was seven, not nine.",
    ]


def test_without_a_correction_it_says_so(client: Client, db: None) -> None:
    assert listed(client) == ["There is no correction yet."]
    assert json.loads(client.get(f"{PAGE}feed.json").content)["items"] == []


def test_a_withdrawal_is_listed_with_its_reason_and_without_the_story(
    client: Client, publish: Publish, now: datetime
) -> None:
    story = publish("Somebody’s name")
    publishing.correct(article=story, text="About somebody.", actor=None, now=now)
    publishing.withdraw(article=story, reason="We could not prove it.", actor=None, now=now + timedelta(days=1))
    assert listed(client) == ["7 May 2025 A story was withdrawn We could not prove it."]
    feed = client.get(f"{PAGE}feed.json").content.decode()
    for private in ("Somebody", "About somebody", story.slug):
        assert private not in client.get(PAGE).content.decode() + feed
    publishing.publish(article=Article.objects.get(pk=story.pk), actor=None, now=now + timedelta(days=2))
    assert listed(client) == ["6 May 2025 Somebody’s name About somebody."]


def test_a_withdrawal_without_a_word_for_readers_is_not_listed(client: Client, publish: Publish) -> None:
    story = publish("A story")
    Article.objects.filter(pk=story.pk).update(state="withdrawn", withdrawn_at=story.published_at)
    assert listed(client) == ["There is no correction yet."]


def test_each_language_has_its_own(client: Client, publish: Publish, now: datetime) -> None:
    Publication.objects.update_or_create(pk=1, defaults={"further_languages": ["ru"]})
    english, russian = publish("English"), publish("Русская", language="ru")
    publishing.correct(article=english, text="Seven.", actor=None, now=now)
    publishing.correct(article=russian, text="Семь.", actor=None, now=now)
    assert listed(client) == ["6 May 2025 English Seven."]
    assert listed(client, f"/ru{PAGE}") == ["6 мая 2025 Русская Семь."]


def test_a_long_list_has_pages(client: Client, publish: Publish, now: datetime) -> None:
    story = publish("First")
    for number in range(13):
        publishing.correct(article=story, text=f"Number {number}.", actor=None, now=now + timedelta(hours=number))
    assert len(listed(client)) == 12
    assert listed(client, f"{PAGE}?page=2") == ["6 May 2025 First Number 0."]
    assert client.get(f"{PAGE}?page=3").status_code == 404
