"""Every save is a version, and any version can come back."""

from datetime import datetime, timedelta

import pytest

from articles import publishing
from articles.models import Article, Author, Byline, Image, Section, Tag
from articles.tests.conftest import StoryMaker


def test_each_save_and_each_verb_is_one_version(story: StoryMaker, now: datetime) -> None:
    made = story()
    made.headline = "Another headline"
    made.save()
    publishing.save_revision(article=made, actor=None, now=now)
    publishing.publish(article=made, actor=None, now=now)
    publishing.correct(article=made, text="Seven.", actor=None, now=now)
    kept = list(made.revisions.values_list("number", "note"))
    assert kept == [(4, "Corrected: Seven."), (3, "Published"), (2, ""), (1, "")]
    assert made.revisions.get(number=1).snapshot["headline"] == "Story 1"
    assert made.revisions.get(number=2).snapshot["headline"] == "Another headline"


def test_saving_a_published_story_changes_its_page(story: StoryMaker, now: datetime) -> None:
    made = story(state="published")
    old = made.body_sha256
    made.body_markdown = "Other *words*."
    made.save()
    publishing.save_revision(article=made, actor=None, now=now + timedelta(hours=1))
    assert made.body_html == "<p>Other <em>words</em>.</p>"
    assert made.body_sha256 != old
    assert made.updated_at == now + timedelta(hours=1)


def test_restore_brings_back_words_and_related_rows_and_keeps_the_rest(
    story: StoryMaker, picture: Image, now: datetime
) -> None:
    ann, bob = (Author.objects.create(name=name, slug=name.lower()) for name in ("Ann", "Bob"))
    tag = Tag.objects.create(name="Bitcoin", slug="bitcoin")
    made = story(authors=(ann, bob), lead_image=picture)
    made.tags.add(tag)
    publishing.save_revision(article=made, actor=None, now=now)
    first = made.revisions.first()
    assert first is not None
    publishing.publish(article=made, actor=None, now=now)

    made.headline, made.body_markdown, made.lead_image, made.slug = "New", "New words.", None, "new"
    made.section = Section.objects.create(name="Markets", slug="markets")
    made.save()
    made.tags.clear()
    made.bylines.all().delete()
    Byline.objects.create(article=made, author=bob)
    publishing.save_revision(article=made, actor=None, now=now)

    again = publishing.restore(revision=first, actor=None, now=now)
    made.refresh_from_db()
    assert (made.headline, made.section.slug, made.lead_image_id) == ("Story 1", "news", picture.pk)
    assert made.body_html == "<p>Some <strong>bold</strong> words.</p>"
    assert list(made.tags.all()) == [tag]
    assert made.byline == "Ann and Bob"
    assert (made.slug, made.state) == ("new", Article.State.PUBLISHED)
    assert again.note == f"Restored from revision {first.number}"


def test_restore_does_without_what_was_deleted_and_says_so(story: StoryMaker, now: datetime) -> None:
    tag = Tag.objects.create(name="Gold", slug="gold")
    made = story()
    made.tags.add(tag)
    publishing.save_revision(article=made, actor=None, now=now)
    revision = made.revisions.first()
    assert revision is not None
    tag.delete()
    again = publishing.restore(revision=revision, actor=None, now=now)
    assert again.note == f"Restored from revision {revision.number} without Gold, deleted since"


def test_a_text_that_is_refused_leaves_everything_as_it_was(story: StoryMaker, now: datetime) -> None:
    made = story(state="published")
    before = made.body_html
    Article.objects.filter(pk=made.pk).update(body_markdown="![x](image:999)")
    with pytest.raises(publishing.MarkupRefused, match="no picture number 999"):
        publishing.save_revision(article=made, actor=None, now=now)
    made.refresh_from_db()
    assert made.body_html == before
    assert made.revisions.count() == 2
