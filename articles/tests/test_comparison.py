"""Two versions are compared word by word, in the text and in every field; what is between stays short."""

from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from articles import comparison, publishing
from articles.models import Article, Author, Byline, Section, Tag
from articles.tests.conftest import StoryMaker
from tests.cast import signed_in


def marked(old: str, new: str) -> str:
    marks = {"added": "+{}+", "removed": "-{}-", "same": "{}"}
    return "".join(marks[part.kind].format(part.text) for part in comparison.words(old, new))


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("Rates fall", "Rates fall", "Rates fall"),
        ("Rates fall to 4.25%", "Rates rise to 4.5%", "Rates -fall-+rise+ to -4.25-+4.5+%"),
        ("", "New.", "+New.+"),
        ("It’s here", "It’s not here", "It’s +not +here"),
        ("Ставки падают", "Ставки растут", "Ставки -падают-+растут+"),
    ],
)
def test_words(old: str, new: str, shown: str) -> None:
    assert marked(old, new) == shown


@pytest.mark.django_db
def test_the_page_shows_any_two_versions(story: StoryMaker, edda: User, ada: User, now: datetime) -> None:
    text = "\n\n".join(f"Paragraph {number}." for number in range(60))
    article = story(body_markdown=f"{text}\n\nThe bank cut rates.")
    article.body_markdown = f"{text}\n\nThe bank raised <b>rates</b>."
    article.section = Section.objects.create(name="Markets", slug="markets")
    article.save()
    article.tags.add(Tag.objects.create(name="Gold", slug="gold"))
    Byline.objects.create(article=article, author=Author.objects.create(name="Bob", slug="bob"), position=1)
    publishing.save_revision(article=article, actor=edda, now=now, note="After a call")
    article.headline = "Third"
    article.save()
    publishing.save_revision(article=article, actor=edda, now=now)
    address = reverse("admin:articles_article_compare", args=[article.pk])
    page = signed_in(edda).get(address, {"old": "1", "new": "2"}).content.decode()
    for words in (
        '<del><span class="story-spoken">removed: </span>cut</del>', "raised", "&lt;b&gt;",
        '<ins><span class="story-spoken">added: </span>Gold</ins>', '</span>Markets</ins>', '</span>Bob</ins>',
        "unchanged paragraphs", "After a call", "Restore version 1",
    ):  # fmt: skip
        assert words in page
    assert "Third" not in page.split("story-compare", 2)[2].split("All versions")[0].replace(article.headline, "", 1)
    assert "</span>Third</ins>" in signed_in(edda).get(address).content.decode()
    assert signed_in(ada).get(address).status_code == 404
    assert Article.objects.count() == 1
