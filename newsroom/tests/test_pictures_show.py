"""In production a picture that was uploaded shows, and a site that shows none says so when it starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pytest_django.fixtures import Settings

from articles.models import Image
from newsroom import picture_check
from tests.journeys import stage as stages

PICTURE = b"\xff\xd8" + b"picture" * 1000


@pytest.fixture
def site(transactional_db: None, tmp_path: Path, settings: Settings) -> Iterator[stages.Stage]:
    """The web server of a deployment, and the address at which it answers."""
    with stages.running(tmp_path) as stage:
        media = tmp_path / "media"
        stage.extra = {"DEBUG": "0", "MEDIA_ROOT": str(media), "ALLOWED_HOSTS": "127.0.0.1"}
        settings.MEDIA_ROOT, settings.SITE_URL = media, stage.site
        (media / "images").mkdir(parents=True)
        yield stage


def upload(media: Path) -> Image:
    """What is left of an upload: the row and the file."""
    (media / "images" / "0a.jpg").write_bytes(PICTURE)
    return Image.objects.create(file="images/0a.jpg", alt="A coin", width=1, height=1)


def test_a_picture_uploaded_after_the_start_is_served_and_one_that_is_missing_is_named(
    site: stages.Stage, settings: Settings
) -> None:
    site.web()
    assert picture_check.at_start(server=site.site) is None, "there is no picture yet"

    upload(Path(settings.MEDIA_ROOT))
    response = requests.get(f"{site.site}/media/images/0a.jpg", timeout=10)
    assert (response.status_code, response.content) == (200, PICTURE)
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    part = requests.get(response.url, headers={"Range": "bytes=2-8"}, timeout=10)
    assert (part.status_code, part.content, part.headers["Content-Length"]) == (206, b"picture", "7")
    assert requests.head(response.url, timeout=10).headers["Content-Length"] == str(len(PICTURE))
    assert picture_check.at_start(server=site.site) is None
    assert picture_check.pictures() == []

    (Path(settings.MEDIA_ROOT) / "images" / "0a.jpg").unlink()
    sentence = picture_check.at_start(server=site.site)
    assert sentence is not None
    assert f"{site.site}/media/images/0a.jpg answers 404" in sentence
    assert "MEDIA_ROOT" in sentence
    assert [message.id for message in picture_check.pictures()] == ["newsroom.W036"]


def test_a_site_that_does_not_answer_yet_is_no_fault(db: None, settings: Settings, tmp_path: Path) -> None:
    settings.SITE_URL = "http://127.0.0.1:1"
    (tmp_path / "images").mkdir()
    upload(tmp_path)
    assert picture_check.pictures() == []


def test_where_a_proxy_is_to_serve_them_the_advice_is_about_the_proxy(settings: Settings) -> None:
    settings.SERVE_MEDIA = False
    assert "SERVE_MEDIA=1" in picture_check.advice()
