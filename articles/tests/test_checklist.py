"""Before readers see a story: errors stop it, warnings are acknowledged by name, hints only help."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from articles import checklist, publishing
from articles.models import Article, Image, Section
from articles.tests.conftest import StoryMaker
from core import link_check, link_requests
from staff.models import AuditEvent
from tests.cast import signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db
GONE = "https://gone.example.org/page"

# What is wrong with a story that is clean otherwise -> what the checklist says of it, with its level.
CASES = [
    ({}, []),
    ({"body_markdown": " "}, ["error text"]),
    ({"authors": ()}, ["warning byline"]),
    ({"headline": "Rates fall to TK"}, ["warning placeholder"]),
    ({"body_markdown": "Said [name] of the bank. TK 1985 was late, see tk.example."}, ["warning placeholder"] * 2),
    ({"body_markdown": "A [link](https://alive.example.org/) and a [name](https://alive.example.org/)."}, []),
    ({"body_markdown": f"[See]({GONE})."}, ["warning link"]),
    ({"body_markdown": "[See](https://new.example.org/)."}, ["hint pending"]),
    ({"headline": "R" * 111}, ["warning long-headline"]),
    ({"slug": "untitled-2"}, ["hint slug"]),
    ({"standfirst": ""}, ["hint standfirst"]),
    ({"lead_image": None}, ["hint share"]),
    ({"alt": " "}, ["error alt"]),
    ({"credit": ""}, ["warning credit"]),
]


@rows(("wrong", "findings"), CASES)
def test_what_the_checklist_says(
    story: StoryMaker, picture: Image, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object], findings: list[str]
) -> None:
    monkeypatch.setattr(link_requests, "status", lambda *, url: 404 if "gone" in url else 200)
    for url in (GONE, "https://alive.example.org/"):
        link_check.look_up(url=url)
    for name in {"alt", "credit"} & wrong.keys():
        setattr(picture, name, wrong[name])
        picture.save()
    fields = {name: value for name, value in wrong.items() if name not in {"alt", "credit"}}
    article = story(**{"lead_image": picture, "slug": "rates-fall-again", **fields})
    result = checklist.report(article=Article.objects.get(pk=article.pk))
    assert [f"{one.level} {one.code}" for one in result.findings] == findings


def test_a_warning_is_acknowledged_by_name_and_covers_no_other(story: StoryMaker, paul: User, now: datetime) -> None:
    article = story(headline="Rates fall to TK", authors=())
    with pytest.raises(checklist.NotAcknowledged, match=r"Nobody's name.*“TK”"):
        publishing.publish(article=article, actor=paul, now=now)
    with pytest.raises(checklist.NotAcknowledged, match="“TK”"):
        publishing.publish(article=article, actor=paul, now=now, acknowledge=["byline:"])
    assert not article.acknowledgements.exists(), "nothing changes on a failure"
    keys = [one.key for one in checklist.report(article=article).warnings]
    publishing.schedule(article=article, publish_at=now + timedelta(days=1), actor=paul, now=now, acknowledge=keys)
    assert {row.acknowledged_by for row in article.acknowledgements.all()} == {paul}
    assert AuditEvent.objects.filter(action="story_warning_acknowledged").get().detail == {"warnings": keys}
    filler = "X" * 3
    Article.objects.filter(pk=article.pk).update(standfirst=f"By {filler}")
    with pytest.raises(checklist.NotAcknowledged, match=f"“{filler}”"):
        publishing.publish(article=article, actor=paul, now=now)
    Article.objects.filter(pk=article.pk).update(standfirst="")
    publishing.publish(article=article, actor=paul, now=now)


def test_from_an_empty_desk_to_readers_in_four_clicks_and_two_fields(
    paul: User, section: Section, now: datetime
) -> None:
    """Stories, +, Publish, Publish now; headline and text. Section, address and byline come by themselves."""
    paul.first_name, paul.last_name = "Paul", "Pub"
    paul.save()
    browser = signed_in(paul)
    page = browser.get(reverse("admin:articles_article_add"))
    form = {name: field.initial for name, field in page.context["adminform"].form.fields.items() if field.initial}
    initial = page.context["adminform"].form.initial
    assert initial["section"] == section.pk
    given = {
        **form, "section": section.pk, "headline": "Rates fall again", "body_markdown": "By a quarter.", "slug": "",
        "bylines-TOTAL_FORMS": 0, "bylines-INITIAL_FORMS": 0, "corrections-TOTAL_FORMS": 0,
        "corrections-INITIAL_FORMS": 0, "_publish": "",
    }  # fmt: skip
    asking = browser.post(reverse("admin:articles_article_add"), given, follow=True)
    article = Article.objects.get()
    assert asking.redirect_chain[-1][0].endswith(f"/{article.pk}/do/publish/")
    assert f"Publishes now at /articles/{article.slug}/." in asking.content.decode()
    assert (article.slug, article.byline) == ("rates-fall-again", "Paul Pub")
    browser.post(asking.redirect_chain[-1][0])
    article.refresh_from_db()
    assert article.state == "published"


def test_the_page_that_asks_has_a_box_for_each_warning(story: StoryMaker, paul: User) -> None:
    article = story(authors=())
    browser: Client = signed_in(paul)
    address = reverse("admin:articles_article_do", args=[article.pk, "publish"])
    assert "Nobody&#x27;s name is under the headline." in browser.get(address).content.decode()
    assert "Mend each of these in the story, or tick it." in browser.post(address).content.decode()
    assert browser.post(address, {"acknowledge": ["byline:"]}).status_code == 302
    article.refresh_from_db()
    assert article.state == "published"


def test_the_checklist_follows_what_is_typed(story: StoryMaker, edda: User) -> None:
    article = story()
    page = signed_in(edda).post(
        reverse("admin:articles_article_checklist", args=[article.pk]), {"headline": "Ends at ???", "body_markdown": ""}
    )
    assert "Write the text first." in page.content.decode()
    assert "“???” looks as if something were still to come" in page.content.decode()
    assert Article.objects.get(pk=article.pk).headline == "Story 1"


def test_the_checklist_of_a_new_story_is_for_those_who_may_begin_one(edda: User) -> None:
    address = reverse("admin:articles_article_checklist_new")
    clerk = User.objects.create_user("cleo", password="secret", is_staff=True)
    assert signed_in(clerk).post(address, {"headline": "New"}).status_code == 403
    assert "Write the text first." in signed_in(edda).post(address, {"headline": "New"}).content.decode()
