"""A shared link shows the story's headline in the publication's typeface, and every page has a picture and an icon."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from PIL import Image as Pillow
from PIL import ImageChops

from articles import share_cards, tasks
from articles.models import Article, Image
from articles.tests.conftest import StoryMaker
from core import drawings
from publication import brand
from publication.models import Publication

SITE = "http://127.0.0.1:8000"


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the stories whose card a worker was asked to draw."""
    numbers: list[int] = []
    for name in ("delay", "delay_on_commit"):
        monkeypatch.setattr(tasks.draw_share_card, name, numbers.append)
    return numbers


def shared(client: Client, path: str) -> str:
    """The path of the picture that a link preview of the page shows."""
    page = BeautifulSoup(client.get(path).content, "html5lib")
    [tag] = page.select('meta[property="og:image"]')
    assert [each["content"] for each in page.select('meta[property^="og:image:"]')][:2] == ["1200", "630"]
    return str(tag["content"]).removeprefix(SITE)


def opened(content: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(content)).convert("RGB")


def differ(one: bytes, other: bytes) -> bool:
    return ImageChops.difference(opened(one), opened(other)).getbbox() is not None


def test_a_worker_draws_the_card_once_and_again_for_a_new_headline(
    client: Client, story: StoryMaker, photograph: Image, media: Path, queued: list[int]
) -> None:
    article = story(state="published", lead_image=photograph)
    first = shared(client, article.get_absolute_url())
    waiting = client.get(first)
    assert (waiting.status_code, waiting["Location"]) == (302, photograph.share_url)
    client.get(first)
    assert queued == [article.pk], "one task for all who ask meanwhile"
    tasks.draw_share_card(article.pk)
    drawn = client.get(first)
    assert (drawn.status_code, drawn["Content-Type"]) == (200, "image/jpeg")
    assert "immutable" in drawn["Cache-Control"]
    assert opened(drawn.content).size == (1200, 630)
    Article.objects.update(headline="Another one")
    second = shared(client, article.get_absolute_url())
    assert second != first
    assert client.get(first)["Location"] == second
    tasks.draw_share_card(article.pk)
    assert differ(client.get(second).content, drawn.content)
    assert [each.name for each in (media / "share" / str(article.pk)).iterdir()] == [second.rpartition("/")[2]]


def test_the_tick_asks_for_the_cards_of_what_was_just_published(
    story: StoryMaker, media: Path, queued: list[int], now: datetime
) -> None:
    article = story(state="published")
    story()
    assert share_cards.undrawn(now=article.updated_at, most=9) == [article.pk]
    tasks.draw_share_card(article.pk)
    assert share_cards.undrawn(now=article.updated_at, most=9) == []


def test_what_readers_do_not_see_has_no_card(client: Client, story: StoryMaker, media: Path) -> None:
    article = story()
    tasks.draw_share_card(article.pk)
    assert client.get(f"/share/{article.pk}/{'0' * 16}.jpg").status_code == 404
    assert not (media / "share").exists()


@pytest.mark.parametrize(
    "headline", ["Өкмөт: Ңң Үү жаңылыктары", "Привет, мир", "Headline", "Wörter, die lang sind " * 9]
)
def test_letters_of_every_script_of_the_faces_are_drawn_and_stay_inside(db: None, headline: str) -> None:
    look = brand.look(Publication.objects.current())
    card, empty = (drawings.card(look=look, headline=words) for words in (headline, ""))
    box = ImageChops.difference(opened(card), opened(empty)).convert("L").point(lambda value: 255 * (value > 40))
    left, _top, right, bottom = box.getbbox() or (0, 0, 0, 0)
    assert left >= 60
    assert 300 < right <= 1200 - 60
    assert bottom < 480


def test_letters_that_the_faces_lack_are_left_out_as_a_whole(db: None) -> None:
    look = brand.look(Publication.objects.current())
    assert not differ(drawings.card(look=look, headline="ニュース"), drawings.card(look=look, headline=""))


def test_every_page_has_a_picture_an_icon_and_a_manifest(client: Client, media: Path, db: None) -> None:
    Publication.objects.current()
    Publication.objects.update(name="Ala-Too Times", strapline="News")
    assert opened(client.get(shared(client, "/")).content).size == (1200, 630)
    page = BeautifulSoup(client.get("/newsletters/").content, "html5lib")
    icon = str(page.select('link[rel="apple-touch-icon"]')[0]["href"])
    assert opened(client.get(icon).content).size == (180, 180)
    manifest: dict[str, Any] = json.loads(client.get(str(page.select('link[rel="manifest"]')[0]["href"])).content)
    assert (manifest["name"], manifest["theme_color"]) == ("Ala-Too Times", "#9b1c1c")
    assert {each["sizes"] for each in manifest["icons"]} == {"192x192", "512x512"}
    for each in manifest["icons"]:
        drawn = opened(client.get(each["src"]).content)
        assert f"{drawn.width}x{drawn.height}" == each["sizes"]
    Publication.objects.update(accent_colour="#005500")
    moved = client.get(icon)
    assert (moved.status_code, moved["Cache-Control"]) == (302, "no-cache")
    assert opened(client.get(moved["Location"]).content).getpixel((2, 2)) == (0, 0x55, 0)
    assert client.get("/brand/0000000000000000-passwd.png").status_code == 404
