"""Uploaded pictures: kept for ever, in part if asked, and nothing else that lies beside them."""

from pathlib import Path

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

PICTURE = bytes(range(256)) * 4
PATH = "/media/images/0a1b-480.jpg"


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    """A directory of uploads, with a picture and with what is none; DEBUG is off, as in production."""
    settings.DEBUG, settings.SERVE_MEDIA = False, True
    settings.MEDIA_ROOT = root = tmp_path / "media"
    (root / "images" / ".hidden").mkdir(parents=True)
    (root / "images" / "0a1b-480.jpg").write_bytes(PICTURE)
    for name in ("page.html", "drawing.svg", ".jpg", ".hidden/a.jpg", "program.py", "a.jpg.txt"):
        (root / "images" / name).write_text("<script>alert(1)</script>", encoding="utf-8")
    (tmp_path / "secret.jpg").write_text("outside", encoding="utf-8")
    (root / "images" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "images" / "folder.jpg").mkdir()
    return root


def test_a_picture_may_be_kept_for_a_year_and_is_taken_for_nothing_else(client: Client) -> None:
    response = client.get(PATH)
    assert (response.status_code, response.content) == (200, PICTURE)
    assert response["Content-Type"] == "image/jpeg"
    assert response["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"] == "inline"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response["Content-Length"] == "1024"
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_head_says_the_size_and_sends_nothing(client: Client) -> None:
    response = client.head(PATH)
    assert (response.status_code, response["Content-Length"], response.content) == (200, "1024", b"")


def test_nothing_is_changed_by_a_request(client: Client) -> None:
    assert client.post(PATH).status_code == 405
    assert client.put(PATH).status_code == 405
    assert client.delete(PATH).status_code == 405


def test_a_browser_that_has_it_gets_nothing_again(client: Client) -> None:
    first = client.get(PATH)
    for name in ("If-None-Match", "If-Modified-Since"):
        value = first["ETag"] if name == "If-None-Match" else first["Last-Modified"]
        again = client.get(PATH, headers={name: value})
        assert (again.status_code, again.content) == (304, b"")
        assert again["Cache-Control"] == first["Cache-Control"]
    assert client.get(PATH, headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.get(PATH, headers={"If-Match": '"other"'}).status_code == 412


@pytest.mark.parametrize(
    ("asked", "part", "content_range"),
    [
        ("bytes=0-0", PICTURE[:1], "bytes 0-0/1024"),
        ("bytes=10-19", PICTURE[10:20], "bytes 10-19/1024"),
        ("bytes=1000-", PICTURE[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", PICTURE[1000:], "bytes 1000-1023/1024"),
        ("bytes=1000-99999", PICTURE[1000:], "bytes 1000-1023/1024"),
        ("bytes=-99999", PICTURE, "bytes 0-1023/1024"),
        ("Bytes=5-5", PICTURE[5:6], "bytes 5-5/1024"),
    ],
)
def test_a_part_is_sent_if_it_is_asked_for(client: Client, asked: str, part: bytes, content_range: str) -> None:
    response = client.get(PATH, headers={"Range": asked})
    assert (response.status_code, response.content, response["Content-Range"]) == (206, part, content_range)
    assert response["Content-Length"] == str(len(part))


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused(client: Client, asked: str) -> None:
    response = client.get(PATH, headers={"Range": asked})
    assert (response.status_code, response["Content-Range"], response.content) == (416, "bytes */1024", b"")


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=٣-٤", "="])
def test_what_is_no_single_part_gets_the_whole(client: Client, asked: str) -> None:
    response = client.get(PATH, headers={"Range": asked})
    assert (response.status_code, len(response.content)) == (200, 1024)


def test_a_part_of_another_version_gets_the_whole(client: Client) -> None:
    first = client.get(PATH)
    for condition in (first["ETag"], first["Last-Modified"]):
        assert client.get(PATH, headers={"Range": "bytes=0-9", "If-Range": condition}).status_code == 206
    assert client.get(PATH, headers={"Range": "bytes=0-9", "If-Range": '"older"'}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/media/", "/media/images/", "/media/images", "/media/images/folder.jpg", "/media/images/none.jpg",
        "/media/images/page.html", "/media/images/drawing.svg", "/media/images/.jpg", "/media/images/.hidden/a.jpg",
        "/media/images/program.py", "/media/images/a.jpg.txt", "/media/images/link.jpg", "/media/../secret.jpg",
        "/media/%2e%2e/secret.jpg", "/media/images/..%2f..%2fsecret.jpg", "/media/images/0a1b-480.jpg%00.jpg",
        "/media/images/0a1b-480.jpg%0a", "/media//images/0a1b-480.jpg", "/media/images\\0a1b-480.jpg",
        "/media//etc/passwd", "/media/" + "a" * 5_000 + ".jpg", "/media/images/%ff.jpg",
    ],
)  # fmt: skip
def test_nothing_else_is_found(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert b"outside" not in response.content
    assert b"alert" not in response.content


def test_a_picture_that_is_missing_is_asked_for_again(client: Client) -> None:
    response = client.get("/media/images/none.jpg")
    assert response["Cache-Control"] == "no-store"
    assert response.content == b"There is no picture at this address.\n"


def test_a_picture_that_comes_later_is_found(client: Client, root: Path) -> None:
    assert client.get("/media/images/later.webp").status_code == 404
    (root / "images" / "later.webp").write_bytes(PICTURE)
    assert client.get("/media/images/later.webp")["Content-Type"] == "image/webp"


def test_a_site_whose_proxy_serves_them_leaves_them_alone(client: Client, settings: Settings) -> None:
    settings.SERVE_MEDIA = False
    assert client.get(PATH).status_code == 404
