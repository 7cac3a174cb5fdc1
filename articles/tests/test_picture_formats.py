"""A page offers AVIF before WebP before JPEG; what is made after the upload is made once, and breaks nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.management import call_command
from django.test import Client
from PIL import Image as Pillow

from articles import images, syndication, tasks, views
from articles.models import Image
from articles.tests.conftest import StoryMaker, png
from core import pictures


@pytest.fixture
def complete(photograph: Image) -> Image:
    """The photograph with all that the worker makes of it."""
    tasks.complete_picture(photograph.pk)
    photograph.refresh_from_db()
    return photograph


def stored(media: Path) -> set[str]:
    return {str(each.relative_to(media)) for each in media.rglob("*") if each.is_file()}


def test_a_picture_gets_avif_in_every_size_once(complete: Image, media: Path) -> None:
    assert sorted(complete.renditions["avif"], key=int) == sorted(complete.renditions["jpeg"], key=int)
    with Pillow.open(media / complete.renditions["avif"]["960"]) as picture:
        assert (picture.format, picture.size) == ("AVIF", (960, 640))
    files = stored(media)
    assert files == set(images.files_of(complete))
    assert images.incomplete(most=9) == []
    assert not images.complete(pk=complete.pk)
    assert stored(media) == files


def test_pictures_from_before_get_what_they_lack_and_keep_what_they_have(photograph: Image, media: Path) -> None:
    former = {name: files for name, files in photograph.renditions.items() if name != "ratios"}
    Image.objects.update(renditions=former)
    images.remove_files(list(photograph.renditions["ratios"].values()))
    call_command("complete_pictures")
    photograph.refresh_from_db()
    assert photograph.renditions.items() >= former.items()
    for shape, size in (("16x9", (1200, 675)), ("4x3", (1067, 800)), ("1x1", (800, 800))):
        with Pillow.open(media / photograph.renditions["ratios"][shape]) as part:
            assert part.size == size
    assert stored(media) == set(images.files_of(photograph))


def test_a_picture_that_was_replaced_meanwhile_keeps_its_own_files(
    photograph: Image, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = pictures.clean_in_sizes

    def replaced(*args: Any, **kwargs: Any) -> object:
        monkeypatch.undo()
        images.store(image=Image.objects.get(pk=photograph.pk), upload=png(600, 300), actor=None)
        return encode(*args, **kwargs)

    monkeypatch.setattr(pictures, "clean_in_sizes", replaced)
    assert not images.complete(pk=photograph.pk)
    row = Image.objects.get(pk=photograph.pk)
    assert (row.width, "avif" in row.renditions) == (600, False)
    assert stored(media) == set(images.files_of(row))


def test_a_picture_whose_file_is_gone_is_tried_once(picture: Image) -> None:
    assert images.complete(pk=picture.pk)
    assert images.incomplete(most=9) == []


def test_a_story_offers_each_format_above_and_in_its_text(client: Client, story: StoryMaker, complete: Image) -> None:
    article = story(state="published", lead_image=complete, body_markdown=f"![Pass](image:{complete.pk})")
    page = BeautifulSoup(client.get(article.get_absolute_url()).content, "html5lib")
    choices = page.select("picture")
    assert len(choices) == 2
    for choice in choices:
        assert [source["type"] for source in choice.select("source")] == ["image/avif", "image/webp"]
        assert str(choice.select("img")[0]["srcset"]).count(".jpg") == 3
        assert all(source["sizes"] == choice.select("img")[0]["sizes"] for source in choice.select("source"))
    assert (choices[0].select("img")[0].get("fetchpriority"), choices[0].select("img")[0].get("loading")) == (
        "high",
        None,
    )
    data = json.loads(page.select('script[type="application/ld+json"]')[0].string or "")
    assert len(data["@graph"][0]["image"]) == 3


def test_a_mail_has_no_choice_of_formats_and_a_browser_gets_avif_as_such(
    client: Client, story: StoryMaker, complete: Image
) -> None:
    article = story(state="published", body_markdown=f"![Pass](image:{complete.pk})")
    assert "<source" in article.body_html
    mail = syndication.in_mail(article, width=500)
    assert "<img" in mail
    assert not any(word in mail for word in ("<source", "picture>", "avif"))
    response = client.get(f"/media/{complete.renditions['avif']['480']}")
    assert (response.status_code, response["Content-Type"]) == (200, "image/avif")


def test_the_picture_that_is_seen_first_is_named_in_the_head_as_the_page_asks_for_it(
    client: Client, complete: Image, story: StoryMaker
) -> None:
    for _number in range(views.LEAD_FROM + 1):
        newest = story(state="published", lead_image=complete)
    for path in ("/", newest.get_absolute_url(), newest.section.get_absolute_url()):
        page = BeautifulSoup(client.get(path).content, "html5lib")
        [link] = page.select('head link[rel="preload"][as="image"]')
        source = page.select("main picture source")[0]
        asked = (source["type"], source["srcset"], source["sizes"])
        assert (link["type"], link["imagesrcset"], link["imagesizes"]) == asked, path
        assert asked[0] == "image/avif"
