"""Every save is a version, and any version can come back."""

from datetime import datetime, timedelta

import pytest

from articles import publishing
from articles.models import Article, Author, Byline, Image, Section, Tag
from articles.tests.conftest import StoryMaker


def test_each_save_and_each_verb_is_one_version(story: StoryMaker, now: datetime) -> None:
    article = story()
    article.headline = "Another headline"
    article.save()
    publishing.save_revision(article=article, actor=None, now=now)
    publishing.publish(article=article, actor=None, now=now)
    publishing.correct(article=article, text="Seven.", actor=None, now=now)
    revisions = list(article.revisions.values_list("number", "note"))
    assert revisions == [(4, "Corrected: Seven."), (3, "Published"), (2, ""), (1, "")]
    assert article.revisions.get(number=1).snapshot["headline"] == "Story 1"
    assert article.revisions.get(number=2).snapshot["headline"] == "Another headline"


def test_saving_a_published_story_changes_its_page(story: StoryMaker, now: datetime) -> None:
    article = story(state="published")
    old = article.body_sha256
    article.body_markdown = "Other *words*."
    article.save()
    publishing.save_revision(article=article, actor=None, now=now + timedelta(hours=1))
    assert article.body_html == "<p>Other <em>words</em>.</p>"
    assert article.body_sha256 != old
    assert article.updated_at == now + timedelta(hours=1)


def test_restore_brings_back_words_and_related_rows_and_keeps_the_rest(
    story: StoryMaker, picture: Image, now: datetime
) -> None:
    ann, bob = (Author.objects.create(name=name, slug=name.lower()) for name in ("Ann", "Bob"))
    tag = Tag.objects.create(name="Bitcoin", slug="bitcoin")
    article = story(authors=(ann, bob), lead_image=picture)
    article.tags.add(tag)
    publishing.save_revision(article=article, actor=None, now=now)
    first = article.revisions.first()
    assert first is not None
    publishing.publish(article=article, actor=None, now=now)

    article.headline, article.body_markdown, article.lead_image, article.slug = "New", "New words.", None, "new"
    article.section = Section.objects.create(name="Markets", slug="markets")
    article.save()
    article.tags.clear()
    article.bylines.all().delete()
    Byline.objects.create(article=article, author=bob)
    publishing.save_revision(article=article, actor=None, now=now)

    again = publishing.restore(revision=first, actor=None, now=now)
    article.refresh_from_db()
    assert (article.headline, article.section.slug, article.lead_image_id) == ("Story 1", "news", picture.pk)
    assert article.body_html == "<p>Some <strong>bold</strong> words.</p>"
    assert list(article.tags.all()) == [tag]
    assert article.byline == "Ann and Bob"
    assert (article.slug, article.state) == ("new", Article.State.PUBLISHED)
    assert again.note == f"Restored from revision {first.number}"


def test_restore_does_without_what_was_deleted_and_says_so(story: StoryMaker, now: datetime) -> None:
    tag = Tag.objects.create(name="Gold", slug="gold")
    article = story()
    article.tags.add(tag)
    publishing.save_revision(article=article, actor=None, now=now)
    revision = article.revisions.first()
    assert revision is not None
    tag.delete()
    again = publishing.restore(revision=revision, actor=None, now=now)
    assert again.note == f"Restored from revision {revision.number} without Gold, deleted since"


def test_a_text_that_is_refused_leaves_everything_as_it_was(story: StoryMaker, now: datetime) -> None:
    article = story(state="published")
    before = article.body_html
    Article.objects.filter(pk=article.pk).update(body_markdown="![x](image:999)")
    with pytest.raises(publishing.MarkupRefused, match="no picture number 999"):
        publishing.save_revision(article=article, actor=None, now=now)
    article.refresh_from_db()
    assert article.body_html == before
    assert article.revisions.count() == 2
