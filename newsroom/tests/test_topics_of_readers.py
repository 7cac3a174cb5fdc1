"""The preference page: a reader chooses topics and how much of each story, for each newsletter."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse

from articles.models import Section, Tag
from digests.tests import chosen
from digests.tests.chosen import CLIMATE, CULTURE, SPORT, TRAVEL
from publication.models import Publication
from subscribers import links
from subscribers.models import ConsentEvent, Newsletter, PreferenceChange, Subscription, TopicChoice
from tests.cast import BOB, RITA, Staff, confirmed
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def rita(newsletter: Newsletter, texts: object) -> Subscription:
    chosen.desks()
    newsletter.topic_tags.set(Tag.objects.all())
    return confirmed(RITA, newsletter)


@pytest.fixture
def path(rita: Subscription) -> str:
    return f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/"


def value(name: str) -> str:
    """Of a topic, as the form has it."""
    section = Section.objects.filter(name=name).first()
    return f"section-{section.pk}" if section else f"tag-{Tag.objects.get(name=name).pk}"


def sent(*names: str, **fields: str) -> dict[str, Any]:
    form: dict[str, Any] = {"action": "save", "newsletter": "tech-news", "cadence": "daily", "format": "full"}
    return form | {"topic": [value(name) for name in names]} | fields


def page(client: Client, path: str) -> BeautifulSoup:
    return BeautifulSoup(client.get(path).content, "html5lib")


def ticked(client: Client, path: str) -> list[str]:
    boxes = page(client, path).select("input[name=topic][checked]")
    return [box.find_parent("label").get_text(strip=True) for box in boxes if box.find_parent("label")]  # type: ignore[union-attr]  # asked beside


def test_topics_are_chosen_changed_and_given_up(client: Client, path: str, rita: Subscription) -> None:
    """It is a preference: the record of consent does not grow, and the change is on a record of its own."""
    consents = ConsentEvent.objects.count()
    labels = page(client, path).select("[role=group] label")
    assert [label.get_text(strip=True) for label in labels] == ["Culture", "Sport", "Business", "Travel", "Climate"]
    for names in ((CULTURE, CLIMATE), (SPORT,), (SPORT,), ()):
        response = client.post(path, sent(*names))
        assert response.status_code == 303
        assert ticked(client, path) == list(names)
    rita.refresh_from_db()
    assert rita.topics is None
    changes = [str(row.topics or "") for row in PreferenceChange.objects.all()]
    assert changes == ["Culture, Climate", "Sport", ""]
    assert ConsentEvent.objects.count() == consents


def test_equal_choices_are_one_row(client: Client, path: str, rita: Subscription, newsletter: Newsletter) -> None:
    bob = confirmed(BOB, newsletter)
    client.post(path, sent(CULTURE, SPORT))
    client.post(f"/preferences/{links.preferences_token(subscriber=bob.subscriber)}/", sent(SPORT, CULTURE))
    assert TopicChoice.objects.count() == 1
    assert set(Subscription.objects.values_list("topics", flat=True)) == {TopicChoice.objects.get().pk}


def test_the_format_follows_the_publication_until_the_reader_chooses(
    client: Client, path: str, rita: Subscription
) -> None:
    def shown() -> list[object]:
        return [box["value"] for box in page(client, path).select("input[name=format][checked]")]

    client.post(path, sent())
    Publication.objects.update(mail_format="headlines")
    assert shown() == ["headlines"]
    client.post(path, sent(format="full"))
    Publication.objects.update(mail_format="full")
    client.post(path, sent(format="headlines"))
    assert shown() == ["headlines"]
    assert [row.format for row in PreferenceChange.objects.all()] == ["full", "headlines"]


@rows(
    ("fields", "field"),
    [({"topic": "section-999999"}, "topics"), ({"topic": "'; --"}, "topics"), ({"format": "song"}, "format")],
)
def test_what_the_page_does_not_offer_is_refused_beside_its_field(
    client: Client, path: str, rita: Subscription, fields: dict[str, str], field: str
) -> None:
    """And nothing else of the form is saved."""
    response = client.post(path, sent(CULTURE, cadence="weekly") | fields)
    assert response.status_code == 422
    shown = BeautifulSoup(response.content, "html5lib")
    assert shown.select(f"[role=alert] a[href='#{field}-{rita.newsletter_id}']")
    assert shown.select(f"#{field}-{rita.newsletter_id} #fault-{rita.newsletter_id}")
    rita.refresh_from_db()
    assert (rita.topics, rita.cadence) == (None, "daily")


def test_a_pause_that_is_refused_saves_no_topics(client: Client, path: str, rita: Subscription) -> None:
    response = client.post(path, sent(CULTURE, paused_until="2020-01-01"))
    assert response.status_code == 422
    boxes = BeautifulSoup(response.content, "html5lib").select("input[name=topic][checked]")
    assert [box["value"] for box in boxes] == [value(CULTURE)]
    rita.refresh_from_db()
    assert rita.topics is None


def test_a_form_without_these_fields_changes_neither(client: Client, path: str, rita: Subscription) -> None:
    """As one that was open before they were there, and the way out to a weekly one."""
    client.post(path, sent(CULTURE, format="headlines"))
    client.post(path, {"action": "save", "newsletter": "tech-news", "cadence": "weekly"})
    rita.refresh_from_db()
    assert (rita.cadence, rita.format, rita.topics is None) == ("weekly", "headlines", False)


def test_a_topic_that_is_not_offered_any_more_can_be_given_up(
    client: Client, path: str, rita: Subscription, newsletter: Newsletter
) -> None:
    client.post(path, sent(TRAVEL))
    newsletter.sections.set(Section.objects.filter(name=CULTURE))
    newsletter.topic_tags.clear()
    assert ticked(client, path) == [TRAVEL]
    client.post(path, sent())
    assert page(client, path).select("input[name=topic]") == []


def test_the_readers_own_data_has_them(client: Client, path: str, rita: Subscription) -> None:
    client.post(path, sent(CULTURE, CLIMATE, format="headlines"))
    row = client.get(f"{path}data.json").json()["subscriptions"][0]
    assert (row["topics"], row["format"]) == ([CULTURE, CLIMATE], "headlines")
    assert [change["topics"] for change in row["changes"]] == [[CULTURE, CLIMATE]]
    assert "Topics: Culture, Climate" in " ".join(page(client, f"{path}data/").get_text().split())


def test_names_are_in_the_readers_language(client: Client, path: str, rita: Subscription) -> None:
    Publication.objects.update(further_languages=["ru"])
    Section.objects.filter(name=CULTURE).update(translations={"ru": {"name": "Культура"}})
    rita.subscriber.language = "ru"
    rita.subscriber.save()
    shown = page(client, path)
    labels = {span.get_text(): span.get("lang") for span in shown.select("[role=group] label span")}
    assert (labels["Культура"], labels["Sport"]) == (None, "en")
    assert "Темы" in shown.get_text()


def test_an_editor_picks_the_tags_of_a_newsletter(staff: Staff, newsletter: Newsletter) -> None:
    response = staff("Publisher").get(reverse("admin:subscribers_newsletter_change", args=[newsletter.pk]))
    field = BeautifulSoup(response.content, "html5lib").select_one("select[name=topic_tags]")
    assert field is not None
    assert "autocomplete" in str(field["class"])
