"""The cast: a section, Ada who writes, Edda who edits, Paul who publishes, and stories on demand."""

import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from PIL import Image as Pillow

from articles import images, publishing
from articles.models import Article, Author, Byline, Image, Section
from publication import groups
from tests.cast import account

StoryMaker = Callable[..., Article]


@pytest.fixture
def story(section: Section, now: datetime) -> StoryMaker:
    """Makes a draft; `state="published"` and the like take it further by the verbs."""
    count = 0

    def make(
        *, state: str = "draft", authors: tuple[Author, ...] | None = None, at: datetime = now, **fields: Any
    ) -> Article:
        nonlocal count
        count += 1
        values = {
            "headline": f"Story {count}",
            "slug": f"story-{count}",
            "standfirst": "What it is about.",
            "body_markdown": "Some **bold** words.",
            "section": section,
        } | fields
        article = Article.objects.create(**values)
        if authors is None:
            authors = (Author.objects.get_or_create(slug="desk", defaults={"name": "The Desk"})[0],)
        for position, writer in enumerate(authors):
            Byline.objects.create(article=article, author=writer, position=position)
        publishing.save_revision(article=article, actor=None, now=at)
        if state in {"published", "withdrawn"}:
            publishing.publish(article=article, actor=None, now=at)
        if state == "withdrawn":
            publishing.withdraw(article=article, reason="The source took it back.", actor=None, now=at)
        if state in {"in_review", "approved"}:
            publishing.submit(article=article, actor=None, now=at)
        if state == "approved":
            publishing.approve(article=article, actor=None, now=at)
        return article

    return make


@pytest.fixture
def ada(db: None) -> User:
    """An author."""
    return account("ada", groups.AUTHOR)


@pytest.fixture
def edda(db: None) -> User:
    """An editor."""
    return account("edda", groups.EDITOR)


@pytest.fixture
def paul(db: None) -> User:
    """A publisher."""
    return account("paul", groups.PUBLISHER)


@pytest.fixture
def media(tmp_path: Path, settings: Any) -> Path:
    """A media folder of the test's own."""
    settings.MEDIA_ROOT = tmp_path / "media"
    folder: Path = settings.MEDIA_ROOT
    return folder


def png(width: int = 1200, height: int = 800) -> bytes:
    """A picture as somebody would upload it."""
    out = io.BytesIO()
    Pillow.linear_gradient("L").resize((width, height)).convert("RGB").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def picture(db: None) -> Image:
    """A picture's row as `images.store` leaves it; its files are not there."""
    article = {
        kind: {w: f"images/0a-{w}.{end}" for w in ("480", "960")} for kind, end in (("jpeg", "jpg"), ("webp", "webp"))
    }
    return Image.objects.create(
        file="images/0a.jpg", alt="A mountain", caption="The pass in May", credit="Jane Roe/Agency",
        width=1200, height=800, renditions=article,
    )  # fmt: skip


@pytest.fixture
def photograph(media: Path, db: None) -> Image:
    """A picture that was really taken in, with its files."""
    words = Image(alt="A mountain", caption="The pass in May", credit="Jane Roe/Agency")
    return images.store(image=words, upload=png(), actor=None)
