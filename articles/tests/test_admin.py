"""The editors' pages: who sees, writes and moves what."""

import io
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image as Pillow

from articles import images, publishing
from articles.models import Article, Author, Byline, Correction, Image, Section
from articles.tests.conftest import StoryMaker, png
from publication.models import Publication
from tests.cast import signed_in
from tests.table import rows

ARTICLES = "/admin/articles/article/"
State = Article.State


def filled_in(client: Client, path: str) -> dict[str, Any]:
    """Everything that a browser would post from the unchanged form at `path`."""
    page = BeautifulSoup(client.get(path).content, "html5lib")
    form = page.select_one("#article_form, #image_form")
    assert form is not None
    values: dict[str, Any] = {}
    for field in form.select("input[name], textarea[name]"):
        if field.get("type") not in {"submit", "file", "checkbox"} and "__prefix__" not in str(field["name"]):
            values[str(field["name"])] = (
                field.text.removeprefix("\n") if field.name == "textarea" else field.get("value", "")
            )
    for field in form.select("select[name]"):
        chosen = [str(each["value"]) for each in field.select("option[selected]")]
        values[str(field["name"])] = chosen if field.has_attr("multiple") else (chosen or [""])[0]
    return {name: value for name, value in values.items() if "__prefix__" not in name}


def errors(response: Any) -> str:
    return " ".join(BeautifulSoup(response.content, "html5lib").get_text(" ").split())


@rows("model", [model for model in site._registry if model._meta.app_label == "articles"])
def test_every_list_and_form_opens_and_searches(
    paul: User, story: StoryMaker, picture: Image, now: datetime, model: Any
) -> None:
    paul.is_superuser = True
    paul.save()
    article = story(state="published", lead_image=picture, authors=(Author.objects.create(name="Ann", slug="ann"),))
    publishing.correct(article=article, text="Seven.", actor=None, now=now)
    article.slug = "moved"
    article.save()
    article.tags.create(name="Bitcoin", slug="bitcoin")
    publishing.save_revision(article=article, actor=None, now=now)
    client = signed_in(paul)
    path = f"/admin/articles/{model._meta.model_name}/"
    assert client.get(path, {"q": "a"}).status_code == 200
    rows = list(model.objects.all())
    assert rows
    for row in rows:
        assert client.get(f"{path}{row.pk}/change/").status_code == 200
    if site._registry[model].has_add_permission(client.get(path).wsgi_request):
        assert client.get(f"{path}add/").status_code == 200
    assert site._registry[model].search_fields
    assert site._registry[model].list_filter or model in {Image, Section}, "a form of its own, and few rows in order"


def test_an_author_writes_a_draft_and_it_is_theirs(ada: User, section: Section) -> None:
    client = signed_in(ada)
    values = filled_in(client, f"{ARTICLES}add/") | {
        "headline": "My story", "slug": "my-story", "body_markdown": "Some *words*.", "section": str(section.pk),
    }  # fmt: skip
    response = client.post(f"{ARTICLES}add/", values)
    assert response.status_code == 302, errors(response)
    article = Article.objects.get(slug="my-story")
    assert article.state == State.DRAFT
    assert article.body_html == "<p>Some <em>words</em>.</p>"
    assert article.revisions.get().created_by == ada
    values = filled_in(client, f"{ARTICLES}{article.pk}/change/") | {"headline": "My better story"}
    assert client.post(f"{ARTICLES}{article.pk}/change/", values).status_code == 302
    article.refresh_from_db()
    assert article.headline == "My better story"
    assert article.revisions.count() == 2


def test_an_author_sees_no_story_of_another(ada: User, story: StoryMaker) -> None:
    other = story(headline="Confidential")
    client = signed_in(ada)
    assert "Confidential" not in client.get(ARTICLES).content.decode()
    for path in ("change/", "preview/", "do/submit/", "history/", "delete/"):
        response = client.get(f"{ARTICLES}{other.pk}/{path}", follow=True)
        assert "Confidential" not in response.content.decode(), path
    revision = other.revisions.get()
    assert "Confidential" not in client.get("/admin/articles/revision/").content.decode()
    assert client.post(f"/admin/articles/revision/{revision.pk}/restore/").status_code == 404
    assert client.get(f"{ARTICLES}{other.pk}/preview/").status_code == 404


def test_an_author_is_offered_what_an_author_may_do(ada: User, story: StoryMaker) -> None:
    article = story()
    Byline.objects.create(article=article, author=Author.objects.create(name="Ada", slug="ada", user=ada))
    client = signed_in(ada)
    page = client.get(f"{ARTICLES}{article.pk}/change/").content.decode()
    assert f"{ARTICLES}{article.pk}/do/submit/" in page
    for verb in ("publish", "schedule", "withdraw", "return"):
        assert f"/do/{verb}/" not in page
        client.post(f"{ARTICLES}{article.pk}/do/{verb}/", {"reason": "x"})
    client.post(ARTICLES, {"action": "publish_selected", "_selected_action": [article.pk]})
    article.refresh_from_db()
    assert article.state == State.DRAFT
    client.post(f"{ARTICLES}{article.pk}/do/submit/")
    article.refresh_from_db()
    assert article.state == State.IN_REVIEW
    response = client.post(f"{ARTICLES}{article.pk}/change/", {"headline": "Changed after all"})
    assert response.status_code == 403


def test_asking_changes_nothing_and_the_button_does(paul: User, story: StoryMaker) -> None:
    article = story()
    client = signed_in(paul)
    path = f"{ARTICLES}{article.pk}/do/publish/"
    assert client.get(path).status_code == 200
    assert client.head(path).status_code == 200
    article.refresh_from_db()
    assert article.state == State.DRAFT
    assert client.post(path).status_code == 302
    article.refresh_from_db()
    assert article.state == State.PUBLISHED


def test_a_verb_needs_the_csrf_token(paul: User, story: StoryMaker) -> None:
    article = story()
    client = Client(enforce_csrf_checks=True)
    client.force_login(paul)
    assert client.post(f"{ARTICLES}{article.pk}/do/publish/").status_code == 403


def test_withdrawing_asks_for_the_reason(paul: User, story: StoryMaker) -> None:
    article = story(state="published")
    client = signed_in(paul)
    path = f"{ARTICLES}{article.pk}/do/withdraw/"
    response = client.post(path, {"reason": "  "})
    assert response.status_code == 200
    assert "This field is required" in errors(response)
    client.post(path, {"reason": "The source took it back."})
    article.refresh_from_db()
    assert (article.state, article.withdrawal_reason) == (State.WITHDRAWN, "The source took it back.")


def test_the_hour_of_a_schedule_is_the_publications(paul: User, story: StoryMaker) -> None:
    from_admin = timezone.now() + timedelta(days=30)
    article = story()
    client = signed_in(paul)
    Publication.objects.current()
    Publication.objects.update(time_zone="Asia/Bishkek")
    path = f"{ARTICLES}{article.pk}/do/schedule/"
    assert "Asia/Bishkek" in errors(client.get(path))
    client.post(path, {"publish_at_0": f"{from_admin:%Y-%m-%d}", "publish_at_1": "09:00:00"})
    article.refresh_from_db()
    assert article.state == State.SCHEDULED
    assert article.publish_at is not None
    assert f"{article.publish_at:%Y-%m-%d %H:%M}" == f"{from_admin:%Y-%m-%d} 03:00"


def test_an_hour_in_the_past_is_refused_in_a_sentence(paul: User, story: StoryMaker) -> None:
    article = story()
    response = signed_in(paul).post(
        f"{ARTICLES}{article.pk}/do/schedule/", {"publish_at_0": "2020-01-01", "publish_at_1": "09:00"}
    )
    assert "Choose an hour that is still to come" in errors(response)
    article.refresh_from_db()
    assert article.state == State.DRAFT


def test_an_editor_adds_a_correction(edda: User, story: StoryMaker) -> None:
    article = story(state="published")
    signed_in(edda).post(f"{ARTICLES}{article.pk}/do/correct/", {"text": "It was seven."})
    assert Correction.objects.get().created_by == edda


def test_a_list_of_stories_is_published_one_by_one(paul: User, story: StoryMaker) -> None:
    good, empty = story(), story(headline="Empty one", body_markdown="")
    response = signed_in(paul).post(
        ARTICLES, {"action": "publish_selected", "_selected_action": [good.pk, empty.pk]}, follow=True
    )
    assert "Empty one: Write the text first." in errors(response)
    assert "Publish now: 1 story." in errors(response)
    good.refresh_from_db()
    assert good.state == State.PUBLISHED


def test_the_form_cannot_set_a_state(edda: User, story: StoryMaker) -> None:
    article = story()
    client = signed_in(edda)
    path = f"{ARTICLES}{article.pk}/change/"
    client.post(path, filled_in(client, path) | {"state": "published", "first_published_at_0": "2020-01-01"})
    article.refresh_from_db()
    assert article.state == State.DRAFT


def test_a_form_that_was_open_does_not_undo_a_publication(edda: User, story: StoryMaker, now: datetime) -> None:
    article = story()
    client = signed_in(edda)
    path = f"{ARTICLES}{article.pk}/change/"
    values = filled_in(client, path)
    publishing.publish(article=article, actor=None, now=now)
    response = client.post(path, values | {"headline": "Edited meanwhile", "why": "A name."})
    assert response.status_code == 302, errors(response)
    article.refresh_from_db()
    assert (article.state, article.headline, article.published_at) == (State.PUBLISHED, "Edited meanwhile", now)


@rows(
    ("change", "sentence"),
    [
        ({"body_markdown": "![x](image:999)"}, "There is no picture number 999"),
        ({"headline": "Bit\u202ecoin"}, "Character 4 is invisible (U+202E)"),
        ({"slug": "taken"}, "Another story lives at this address"),
        ({"slug": "once-taken"}, "This address once belonged to another story"),
        ({"published_at_0": "2030-01-01", "published_at_1": "00:00"}, "To publish later, use the action Schedule"),
        ({"published_at_0": "2999-01-01", "published_at_1": "00:00"}, "This date is more than ten years away."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    edda: User, story: StoryMaker, now: datetime, change: dict[str, str], sentence: str
) -> None:
    other = story(state="published", slug="once-taken")
    other.slug = "taken"
    other.save()
    publishing.save_revision(article=other, actor=None, now=now)
    article = story()
    client = signed_in(edda)
    path = f"{ARTICLES}{article.pk}/change/"
    response = client.post(path, filled_in(client, path) | {"standfirst": "Typed with care."} | change)
    assert response.status_code == 200
    assert sentence in errors(response)
    assert "Typed with care." in response.content.decode()
    assert article.revisions.count() == 1


def test_a_draft_can_be_deleted_and_a_story_that_readers_saw_cannot(edda: User, story: StoryMaker) -> None:
    draft, public, gone = story(), story(state="published"), story(state="withdrawn")
    client = signed_in(edda)
    for each in (draft, public, gone):
        client.post(f"{ARTICLES}{each.pk}/delete/", {"post": "yes"})
    client.post(ARTICLES, {"action": "delete_selected", "_selected_action": [public.pk, gone.pk], "post": "yes"})
    assert set(Article.objects.all()) == {public, gone}


def test_a_version_is_restored_by_the_button(edda: User, story: StoryMaker, now: datetime) -> None:
    article = story(headline="First")
    Article.objects.filter(pk=article.pk).update(headline="Second")
    publishing.save_revision(article=article, actor=None, now=now)
    first = article.revisions.get(number=1)
    client = signed_in(edda)
    path = f"/admin/articles/revision/{first.pk}/restore/"
    assert client.get(path).status_code == 200
    article.refresh_from_db()
    assert article.headline == "Second"
    client.post(path)
    article.refresh_from_db()
    assert article.headline == "First"
    assert article.revisions.first().created_by == edda  # type: ignore[union-attr]  # there are versions


def test_a_hostile_headline_is_words_in_the_admin_too(paul: User, story: StoryMaker) -> None:
    article = story(headline="<script>alert(1)</script>", body_markdown="")
    client = signed_in(paul)
    for path in (ARTICLES, f"{ARTICLES}{article.pk}/change/", f"{ARTICLES}{article.pk}/do/publish/"):
        assert "<script>alert(1)" not in client.get(path).content.decode(), path
    response = client.post(ARTICLES, {"action": "publish_selected", "_selected_action": [article.pk]}, follow=True)
    assert "<script>alert(1)" not in response.content.decode()


def test_a_picture_is_taken_in_by_the_form(ada: User, media: Any) -> None:
    client = signed_in(ada)
    upload = SimpleUploadedFile("my holiday.png", png(700, 500), "image/png")
    response = client.post(
        "/admin/articles/image/add/", {"file": upload, "alt": "A beach", "caption": "", "credit": ""}
    )
    assert response.status_code == 302, errors(response)
    image = Image.objects.get()
    assert "holiday" not in str(image.file.name)
    assert (image.width, image.uploaded_by, list(image.renditions["webp"])) == (700, ada, ["480", "700"])


def test_nothing_of_the_upload_itself_is_kept_and_a_new_one_takes_its_place(
    edda: User, media: Any, django_capture_on_commit_callbacks: Any
) -> None:
    """A photograph tells where its source lives; the form once stored it beside the clean one."""

    def upload(path: str, name: str) -> set[str]:
        exif = Pillow.Exif()
        exif[0x010E] = "SECRET-SOURCE"
        taken = io.BytesIO()
        Pillow.new("RGB", (600, 400), "red").save(taken, "JPEG", exif=exif)
        file = SimpleUploadedFile(name, taken.getvalue(), "image/jpeg")
        with django_capture_on_commit_callbacks(execute=True):
            response = signed_in(edda).post(path, {"file": file, "alt": "A beach", "caption": "", "credit": ""})
        assert response.status_code == 302, errors(response)
        return {str(each.relative_to(media)) for each in media.rglob("*") if each.is_file()}

    stored = upload("/admin/articles/image/add/", "one.jpg")
    image = Image.objects.get()
    assert stored == set(images.files_of(image))
    assert [name.count("/") for name in stored] == [1] * 9
    assert not any(b"SECRET-SOURCE" in (media / name).read_bytes() for name in stored)
    later = upload(f"/admin/articles/image/{image.pk}/change/", "two.jpg")
    assert len(later) == 18, "a mail that was sent shows the old file"
    assert stored < later


@pytest.mark.parametrize(
    ("content", "alt", "sentence"),
    [(b"<svg onload=alert(1)>", "x", "picture"), (png(10, 10), "   ", "required")],
)
def test_a_bad_picture_is_refused_in_a_sentence(ada: User, media: Any, content: bytes, alt: str, sentence: str) -> None:
    upload = SimpleUploadedFile("x.png", content, "image/png")
    response = signed_in(ada).post("/admin/articles/image/add/", {"file": upload, "alt": alt})
    assert response.status_code == 200
    assert sentence in errors(response)
    assert not Image.objects.exists()


def test_a_picture_in_use_is_not_deleted(edda: User, story: StoryMaker, picture: Image) -> None:
    story(body_markdown=f"![x](image:{picture.pk})")
    client = signed_in(edda)
    client.post(f"/admin/articles/image/{picture.pk}/delete/", {"post": "yes"})
    assert Image.objects.filter(pk=picture.pk).exists()


def test_new_words_of_a_picture_reach_the_stories_that_show_it(edda: User, story: StoryMaker, picture: Image) -> None:
    article = story(state="published", body_markdown=f"![](image:{picture.pk})")
    assert "A mountain" in article.body_html
    signed_in(edda).post(
        f"/admin/articles/image/{picture.pk}/change/", {"alt": "A glacier", "caption": "", "credit": "X"}
    )
    article.refresh_from_db()
    assert "A glacier" in article.body_html


def test_saving_reports_what_readers_will_not_see(edda: User, story: StoryMaker, picture: Image) -> None:
    article = story()
    client = signed_in(edda)
    theirs = "![Theirs](https://x.test/a.jpg)\n\n<iframe src='https://v.test/'></iframe>"
    text = f"One.\n\n![Ours](image:{picture.pk})\n\n{theirs}"
    path = f"{ARTICLES}{article.pk}/change/"
    response = client.post(path, filled_in(client, path) | {"body_markdown": text}, follow=True)
    seen = response.content.decode()
    assert "Line 5: The picture “https://x.test/a.jpg” is not one of ours and is left out." in seen
    assert "Line 7: An embedded page (iframe) cannot be shown and is left out." in seen
    article.refresh_from_db()
    assert article.body_markdown.replace("\r\n", "\n") == text
    assert errors(client.get(path)).count("is left out") == 0
