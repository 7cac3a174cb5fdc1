"""A picture tells in which issues it went out, and a sent mail keeps the file that it shows."""

from datetime import datetime
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from django.conf import settings as configured
from django.test import Client
from pytest_django.fixtures import Settings

from articles import images, picture_library, publishing
from articles.models import Article, Image
from articles.tests.conftest import png
from digests import composing, freezing
from digests.models import Issue
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish


@pytest.fixture
def mountain(tmp_path: Path, settings: Settings) -> Image:
    """A picture with its files."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return images.store(image=Image(alt="A mountain"), upload=png(), actor=None)


def test_a_mail_that_was_sent_keeps_the_file_of_a_replaced_picture(
    newsletter: Newsletter, publish: Publish, mountain: Image, now: datetime
) -> None:
    story = publish("The Pass", now.replace(hour=4), lead_image=mountain)
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)
    assert [place.kind for place in picture_library.places(mountain)] == ["Above the story"]
    snapshot = freezing.freeze(issue=issue, now=now)
    assert [(place.kind, place.name) for place in picture_library.places(mountain)][1:] == [
        ("In the issue", f"{newsletter}: {snapshot.subject}")
    ]
    picture = BeautifulSoup(snapshot.html, "html5lib").select_one("img[alt='A mountain']")
    assert picture is not None
    address = str(picture["src"]).removeprefix(configured.SITE_URL)

    picture_library.replace(image=mountain, upload=png(500, 400), actor=None, now=now)
    assert Client().get(address).status_code == 200
    assert address not in Client().get(story.get_absolute_url()).content.decode()

    Article.objects.update(lead_image=None)
    with pytest.raises(picture_library.InUse):
        picture_library.delete(image=mountain, actor=None)
    Issue.objects.all().delete()
    picture_library.delete(image=mountain, actor=None)


def test_a_card_in_a_mail_is_what_it_was_when_the_mail_was_frozen(
    newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    dam = publish("Dam Full", now.replace(hour=3), published_at=datetime(2020, 1, 1, tzinfo=now.tzinfo))
    body = f"::: note\nThe water.\n:::\n\n::: story {dam.slug}\n\n::: signup\n\nAfter."
    publish("The Pass", now.replace(hour=4), body_markdown=body)
    issue = Issue.objects.create(newsletter=newsletter, kind=Issue.Kind.ARTICLE)
    issue.items.create(article=Article.objects.get(headline="The Pass"), position=1)
    snapshot = freezing.freeze(issue=issue, now=now)
    html = BeautifulSoup(snapshot.html, "html5lib")
    box = html.select_one("table[role=presentation] td.card-note")
    assert box is not None
    assert "background" in str(box["style"])
    assert html.select_one("td.card-words a[href$='/articles/story-1/']")
    assert "| The water." in snapshot.text
    assert "Dam Full" in snapshot.text
    assert ":::" not in snapshot.text + snapshot.html
    publishing.withdraw(article=dam, reason="Wrong.", actor=None, now=now)
    snapshot.refresh_from_db()
    assert "Dam Full" in snapshot.html
