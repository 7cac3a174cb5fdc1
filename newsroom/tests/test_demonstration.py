"""The demonstration: complete, true to what was asked of it, and never laid over somebody's own work."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from articles.models import Article, Section
from digests import calendar
from digests.models import Issue
from newsroom.demonstration import pictures, texts
from newsroom.desk import growth
from publication.models import Publication
from subscribers import legal
from subscribers.models import CadenceOffer, Newsletter

HEADLINE = "Binance Co-Founder CZ Backs Kyrgyzstan's Crypto Reserve with BTC and BNB"
FACTS = (
    "Changpeng", "on X", "memorandum", "April 2025", "National Investment Agency", "blockchain infrastructure",
    "education", "Binance Pay", "digital som", "legal tender", "National Bank of the Kyrgyz Republic", "USDKG",
    "Gold Dollar", "500 million", "Ministry of Finance", "third quarter of 2025", "approvals", "late 2023",
    "seven million", "94,442", "598.91",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.django_db
def test_it_is_loaded_once_and_complete(
    client: Client, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.MEDIA_ROOT = tmp_path
    call_command("demo")
    assert "9 stories" in capsys.readouterr().out

    lead = Article.objects.listed().newest_first().first()
    assert lead is not None
    assert (lead.headline, lead.section.name, lead.byline) == (HEADLINE, "News", "Staff Writer")
    assert lead.published_at is not None
    assert lead.published_at.date() == datetime(2025, 5, 6, tzinfo=UTC).date()
    text = " ".join(lead.body_text.split())
    missing = [fact for fact in FACTS if fact not in text]
    assert not missing
    assert lead.lead_image is not None
    assert lead.lead_image.credit == "Illustration: Block News International", "it is a drawing"
    assert "placeholder" in lead.lead_image.alt.lower()
    assert client.get("/").status_code == 200
    for language, headlines in {"ru": 2, "ky": 1}.items():
        assert Article.objects.published().in_language(language).count() == headlines
        assert client.get(f"/{language}/sections/policy/").status_code == 200

    house = Publication.objects.current()
    assert (house.name, house.owner) == ("Block News International", "Blends Media Group")
    offers = CadenceOffer.objects.filter(newsletter__slug="tech-and-product-updates", is_active=True)
    assert set(offers.values_list("cadence", flat=True)) == {"instant", "daily", "weekly"}
    assert {version.document.kind for version in legal.current_versions()} == {"terms", "privacy"}

    issue = Issue.objects.get()
    assert (issue.newsletter.slug, issue.state, issue.items.count()) == ("central-asia-brief", "scheduled", 3)
    now = timezone.now()
    assert now - issue.snapshot.frozen_at > timedelta(days=6)
    assert [row.subscriber.address for row in issue.readers(now=now)] == ["reader@blocknews.example"]
    assert issue.newsletter not in [run.newsletter for run in calendar.due(now=now)], "no run of that week is missing"

    waiting = Article.objects.get(state=Article.State.IN_REVIEW)
    assert waiting.comments.count() == 1, "somebody remarked on the story in review"
    counted = growth.count(now=now)
    assert (counted.came, counted.left) == (28, 3), "growth has figures"

    call_command("demo")
    assert "was not loaded" in capsys.readouterr().out
    assert Article.objects.listed().count() == 9


@pytest.mark.django_db
def test_it_is_not_laid_over_somebodys_own_work(capsys: pytest.CaptureFixture[str]) -> None:
    Section.objects.create(name="Sport", slug="sport")
    call_command("demo")
    assert "was not loaded" in capsys.readouterr().out
    assert not Newsletter.objects.exists()


def test_every_story_has_a_drawing_that_can_be_described() -> None:
    for story in texts.stories():
        assert story.picture in pictures.DRAWINGS, story.slug
        assert len(story.alt) > 20, story.slug
        assert story.credit, story.slug


def test_an_unknown_drawing_is_refused() -> None:
    with pytest.raises(pictures.UnknownPictureError):
        pictures.draw(name="Mona Lisa")
