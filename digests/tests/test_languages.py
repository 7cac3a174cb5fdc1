"""Issues are in their newsletter's language, whatever the worker or the editor speaks."""

from datetime import datetime, timedelta

import pytest
from django.utils import translation

from digests import composing, freezing, rendering
from digests.models import Issue
from publication.models import Publication
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish

pytestmark = pytest.mark.django_db


def test_an_issue_is_in_its_newsletters_language(
    publication: Publication, newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    """The words around the stories, the dates, the plurals, and the pages to which its links lead."""
    Publication.objects.update(further_languages=["ru"])
    for number in range(33):
        publish(f"Заголовок {number}", now - timedelta(minutes=33 - number), language="ru")
    newsletter.language, newsletter.stories_in_full = "ru", 1
    newsletter.save()
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=now)
    with translation.override("de"):
        snapshot = freezing.freeze(issue=issue, now=now)
        assert translation.get_language() == "de"
    assert '<html lang="ru"' in snapshot.html
    for words in (
        "6 мая 2025",
        "Открыть в браузере",
        "Отписаться",
        "и ещё 2 материала",
        "Текст: Staff Writer",
    ):
        assert words in snapshot.html, words
        assert words in snapshot.text, words
    assert "Читать материал" in snapshot.html
    assert "/ru/articles/story-33/" in snapshot.html
    assert freezing.verify(snapshot=snapshot)

    newsletter.language = ""
    newsletter.save()
    with translation.override("ru"):  # an editor who previews it in Russian
        written = rendering.render(issue=Issue.objects.get(pk=issue.pk), now=now)
    assert "6 May 2025" in written.text
    assert "/ru/newsletters/" not in written.html
