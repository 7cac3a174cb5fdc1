"""Times that machines read have no fractions of a second, on whichever page they stand."""

import re
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.test import Client

from articles.models import Article, Author, Byline, Correction, Section
from digests.models import Issue, IssueItem, Snapshot
from subscribers.models import Newsletter

pytestmark = pytest.mark.django_db

EXACT = datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)
FRACTION = re.compile(r"\d\d:\d\d:\d\d\.\d+")


@pytest.fixture
def site() -> None:
    """A story with a correction, and an issue that had it."""
    section = Section.objects.create(name="News", slug="news")
    story = Article.objects.create(
        headline="Gold", slug="gold", standfirst="Gold.", section=section, state=Article.State.PUBLISHED,
        body_html="<p>Gold.</p>", body_sha256="0" * 64, published_at=EXACT, first_published_at=EXACT,
    )  # fmt: skip
    Article.objects.update(updated_at=EXACT)
    Byline.objects.create(article=story, author=Author.objects.create(name="Ada", slug="ada"))
    Correction.objects.create(article=story, text="Silver.", corrected_at=EXACT)
    newsletter = Newsletter.objects.create(name="Tech News", slug="tech-news", description="Tech.")
    issue = Issue.objects.create(
        newsletter=newsletter, kind="digest", cadence="daily", period_key="1", number=1, state="sent", audience_count=0
    )
    IssueItem.objects.create(issue=issue, article=story)
    Snapshot.objects.create(issue=issue, subject="Gold", html="<p>Gold.</p>", headers=[], compiled={}, audience_rule={})
    assert Issue.objects.get().snapshot.frozen_at.microsecond


@pytest.mark.parametrize(
    ("path", "times"),
    [
        ("/articles/gold/", 2), ("/", 1), ("/sections/news/", 1), ("/authors/ada/", 1),
        ("/newsletters/tech-news/", 1), ("/newsletters/tech-news/1/", 0),
        ("/feed.json", 0), ("/feed.atom", 0), ("/sitemap.xml", 0), ("/news-sitemap.xml", 0),
    ],
)  # fmt: skip
def test_no_page_names_a_fraction_of_a_second(client: Client, site: None, path: str, times: int) -> None:
    response = client.get(path)
    page = response.content.decode()
    assert response.status_code == 200
    assert not FRACTION.findall(page)
    moments = re.findall(r'<time datetime="([^"]*)"', page)
    assert len(moments) >= times
    assert all(datetime.fromisoformat(moment).tzinfo for moment in moments)


def test_what_search_engines_read_has_none_either(client: Client, site: None) -> None:
    page = client.get("/articles/gold/").content.decode()
    assert '"datePublished": "2026-03-01T09:30:15+00:00"' in page.replace('":"', '": "')
    assert '<meta property="article:published_time" content="2026-03-01T09:30:15+00:00">' in page


def test_no_template_asks_for_the_format_that_has_fractions() -> None:
    templates = [*(settings.BASE_DIR / "templates").rglob("*.*")]
    assert len(templates) > 50
    assert not [path.name for path in templates if re.search(r"\|date:[\"']c[\"']", path.read_text(encoding="utf-8"))]
