"""The library: what is looked for is found, what is replaced stays reachable, what is in use is not deleted."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from articles import markup, picture_library
from articles.models import Image
from articles.picture_library import Words
from articles.refusals import NotAllowed
from articles.tests.conftest import StoryMaker, png
from core import pictures
from staff.models import AuditEvent
from tests.table import rows

UPLOAD, SEARCH, LIBRARY = "/admin/articles/image/upload/", "/admin/articles/image/search/", "/admin/articles/image/"


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def upload(client: Client, content: bytes, **words: str) -> Any:
    file = SimpleUploadedFile("beach.png", content, "image/png")
    return client.post(UPLOAD, {"file": file, "alt": "A beach", **words})


def test_a_picture_is_uploaded_with_its_words_and_found_at_once(ada: User, media: Path) -> None:
    client = signed_in(ada)
    response = upload(client, png(900, 600), caption="In May", credit="Jane Roe", x="0.25", y="1")
    assert response.status_code == 201, response.content
    image = Image.objects.get()
    assert (image.alt, image.caption, image.credit, image.uploaded_by) == ("A beach", "In May", "Jane Roe", ada)
    assert (image.focal_x, image.focal_y) == (0.25, 1.0)
    uploaded = response.json()["picture"]
    assert (uploaded["id"], uploaded["alt"], uploaded["focus"]) == (image.pk, "A beach", "focus-x2 focus-y10")
    for words in ("beach", "bea", "jane MAY", str(image.pk), f"#{image.pk}"):
        assert [each["id"] for each in client.get(SEARCH, {"q": words}).json()["pictures"]] == [image.pk], words
    for words in ("mountain", "beach mountain", "'; --", "&|!", "99999999999999"):
        assert client.get(SEARCH, {"q": words}).json()["pictures"] == [], words


@rows(
    ("content", "words", "field", "sentence"),
    [
        (png(20, 20), {"alt": "  "}, "alt", "Say what the picture shows"),
        (png(20, 20), {"alt": "x" * 301}, "alt", "300"),
        (png(20, 20), {"x": "7"}, "x", "1"),
        (b"<svg onload=alert(1)>", {}, "file", "not a picture"),
        (b"", {}, "file", "empty"),
        (b"x" * (pictures.MAX_BYTES + 1), {}, "file", "too large"),
    ],
)
def test_a_refusal_names_the_field_and_nothing_is_stored(
    ada: User, media: Path, content: bytes, words: dict[str, str], field: str, sentence: str
) -> None:
    response = upload(signed_in(ada), content, **words)
    assert response.status_code == 400
    assert sentence in response.json()["errors"][field]
    assert not Image.objects.exists()


def test_a_stranger_a_reader_and_a_page_of_another_site_upload_nothing(ada: User, media: Path) -> None:
    plain = User.objects.create_user("plain", is_staff=True)
    assert upload(Client(), png(20, 20)).status_code == 302
    assert upload(signed_in(plain), png(20, 20)).status_code == 403
    assert signed_in(plain).get(SEARCH).status_code == 403
    assert signed_in(plain).get(LIBRARY).status_code == 403
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(ada)
    assert upload(strict, png(20, 20)).status_code == 403
    assert signed_in(ada).get(UPLOAD).status_code == 405
    assert not Image.objects.exists()


def test_the_library_is_a_wall_of_pictures_with_a_search(
    edda: User, story: StoryMaker, picture: Image, now: datetime
) -> None:
    for number in range(picture_library.PAGE + 1):
        Image.objects.create(
            file=f"images/{number}.jpg", alt=f"Sea {number}", uploaded_by=edda, created_at=now + timedelta(days=number)
        )
    story(lead_image=picture)
    client = signed_in(edda)

    def shown(**asked: Any) -> list[str]:
        page = BeautifulSoup(client.get(LIBRARY, asked).content, "html5lib")
        return [each.get_text() for each in page.select(".picture-wall strong")]

    first = shown()
    assert len(first) == picture_library.PAGE
    page = BeautifulSoup(client.get(LIBRARY).content, "html5lib")
    older = page.select_one("a[rel=next]")
    assert older is not None
    rest = [
        each.get_text()
        for each in BeautifulSoup(client.get(LIBRARY + str(older["href"])).content, "html5lib").select(
            ".picture-wall strong"
        )
    ]
    assert sorted(first + rest) == sorted(Image.objects.values_list("alt", flat=True))
    assert shown(q="sea 12") == ["Sea 12"]
    assert shown(q="mountain") == ["A mountain"]
    assert shown(q="mountain", unused="1") == []
    assert shown(q="sea 3", unused="1", since="2025-05-09", until="2025-05-09") == ["Sea 3"]
    assert "A mountain" not in shown(by=edda.pk, q="a")
    assert shown(q="nothing like it") == []
    assert client.get(LIBRARY, {"by": "x", "since": "31.2.", "before": "-1"}).status_code == 200


def test_a_picture_tells_where_it_is(edda: User, story: StoryMaker, picture: Image) -> None:
    story(headline="Above", lead_image=picture)
    story(headline="Inside", state="published", body_markdown=f"A\n\n![](image:0{picture.pk}){{wide}}")
    story(headline="Another", body_markdown=f"`(image:{picture.pk})` and [image:{picture.pk}]")
    places = [(place.kind, place.name) for place in picture_library.places(picture)]
    assert places == [("Above the story", "Above (Draft)"), ("In the text of", "Inside (Published)")]
    page = signed_in(edda).get(f"{LIBRARY}{picture.pk}/change/").content.decode()
    assert "Inside (Published)" in page


def test_a_replaced_picture_is_in_its_stories_and_in_the_audit_log(
    edda: User, ada: User, story: StoryMaker, photograph: Image, media: Path, now: datetime
) -> None:
    article = story(state="published", body_markdown=f"![](image:{photograph.pk})")
    old, old_url = photograph.file.name, photograph.page_url
    with pytest.raises(NotAllowed):
        picture_library.replace(image=photograph, upload=png(500, 400), actor=ada, now=now)
    with pytest.raises(pictures.PictureRefused):
        picture_library.replace(image=photograph, upload=b"no", actor=edda, now=now)
    assert picture_library.replace(image=photograph, upload=png(500, 400), actor=edda, now=now) == 1

    article.refresh_from_db()
    assert photograph.page_url in article.body_html
    assert old_url not in markup.shown(article)
    assert (media / str(old)).exists()
    assert client_gets(old_url)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_id, event.object_id) == ("picture_replaced", edda.pk, str(photograph.pk))
    assert event.detail == {"former": old, "stories": 1}


def client_gets(url: str) -> bool:
    return Client().get(url).status_code == 200


def test_new_words_are_in_the_stories_that_use_the_pictures_own(
    edda: User, story: StoryMaker, photograph: Image, now: datetime
) -> None:
    article = story(state="published", body_markdown=f"![](image:{photograph.pk})")
    words = Words(alt="A hill", caption="In June", credit="", x=0.1, y=0.9)
    assert picture_library.describe(image=photograph, words=words, actor=edda, now=now) == 1
    article.refresh_from_db()
    assert 'alt="A hill"' in article.body_html
    assert (photograph.focal_x, photograph.focal_y) == (0.1, 0.9)
    with pytest.raises(picture_library.Undescribed):
        picture_library.describe(image=photograph, words=Words(alt=" "), actor=edda, now=now)


def test_only_a_picture_that_is_nowhere_is_deleted(edda: User, ada: User, story: StoryMaker, photograph: Image) -> None:
    article = story(lead_image=photograph)
    with pytest.raises(picture_library.InUse):
        picture_library.delete(image=photograph, actor=edda)
    article.delete()
    with pytest.raises(NotAllowed):
        picture_library.delete(image=photograph, actor=ada)
    picture_library.delete(image=photograph, actor=edda)
    assert not Image.objects.exists()


@rows(
    ("asked", "index"),
    [
        ({"words": "gorge"}, "image_words"),
        ({}, "image_newest"),
        ({"before": 1}, "image_newest"),
        ({"unused": True}, "article_pictures"),
    ],
)
def test_a_search_uses_an_index(db: None, asked: dict[str, Any], index: str, django_assert_num_queries: Any) -> None:
    Image.objects.create(pk=1, file="images/1.jpg", alt="Dot")
    with connection.cursor() as cursor:
        other = "indexscan" if "words" in asked else "sort"
        cursor.execute(f"SET LOCAL enable_seqscan = off; SET LOCAL enable_{other} = off")
    with django_assert_num_queries(2 if "before" in asked else 1) as captured:
        picture_library.search(**asked)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {captured.captured_queries[-1]['sql']}")
        plan = " ".join(row[0] for row in cursor.fetchall())
    assert index in plan, plan
