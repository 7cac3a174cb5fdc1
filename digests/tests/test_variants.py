"""An issue in the languages of its readers: what each language reads, what preflight says of it, and the web view."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.mail import EmailMultiAlternatives
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from articles import translations
from articles.models import Article
from core.reasons import Reason
from digests import approval, composing, corrections, freezing, proofs, readership, variant_names
from digests.models import Delivery, Issue, Snapshot, Variant
from digests.preflight import checking
from digests.tests import copies, multilingual
from digests.tests.editing import change, items
from digests.variant_keys import VariantKey
from publication.models import Publication
from subscribers.models import Newsletter, Subscriber
from tests.cast import Publish, Readers, Staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def issue(digest: Issue, readers: Readers, now: datetime) -> Issue:
    """Read in English, Russian and German; “Third” is in both further languages, “Second” stale, “First” in none."""
    multilingual.speak("ru", "ky", "de")
    everybody = readers(6)
    multilingual.read(everybody[2:5], "ru")
    multilingual.read(everybody[5:], "de")
    third, second = Article.objects.get(headline="Third"), Article.objects.get(headline="Second")
    multilingual.translate(third, "ru", "Третья", now)
    multilingual.translate(third, "de", "Die dritte", now)
    multilingual.translate(second, "ru", "Вторая", now)
    translations.mark_stale(original=second, now=now)
    digest.subject, digest.introduction = "Good morning", "Hello."
    digest.translations = {"ru": {"subject": "Доброе утро", "introduction": "Здравствуйте."}}
    digest.save()
    return digest


def variant(issue: Issue, language: str) -> Variant:
    return Variant.objects.get(snapshot__issue=issue, language=language)


def test_there_is_one_text_per_language_that_somebody_in_the_audience_reads(issue: Issue, now: datetime) -> None:
    """Nobody reads Kyrgyz, so nobody renders it. The hash of the snapshot covers its variants."""
    approved = multilingual.approve(issue, now)
    assert set(approved.snapshot.languages) == {"ru", "de"} == set(Variant.objects.values_list("language", flat=True))
    assert freezing.verify(snapshot=approved.snapshot)
    with pytest.raises(DatabaseError), transaction.atomic():
        Variant.objects.update(subject="Another")
    Variant.objects.filter(language="de").delete()
    assert not freezing.verify(snapshot=Snapshot.objects.get(issue=issue))


def test_each_reads_its_own_words_and_what_is_not_translated_in_the_issues_language(
    issue: Issue, now: datetime
) -> None:
    own = multilingual.approve(issue, now).snapshot
    assert (own.subject, "Third" in own.html, "Unsubscribe" in own.html) == ("Good morning", True, True)
    assert '<span lang="' not in own.html
    russian, german = variant(issue, "ru"), variant(issue, "de")
    assert (russian.subject, german.subject) == ("Доброе утро", "Good morning")
    russian_words = ("Третья", "Вторая", "First", "6 мая 2025", "Отписаться", "Здравствуйте.")
    german_words = ("Die dritte", "Second", "First", "6. Mai 2025", "Abbestellen", "Hello.")
    for frozen, sentences in ((russian, russian_words), (german, german_words)):
        for words in (*sentences, f"/{frozen.language}/newsletters/tech-news/1/"):
            assert words in frozen.html, words
            assert words in frozen.text, words
    page = BeautifulSoup(german.html, "html5lib")
    assert page.html is not None
    assert page.html["lang"] == "de"
    foreign = [" ".join(each.get_text().split()) for each in page.select('[lang="en"]')]
    assert foreign == ["Hello.", "Second", "About second.", "First", "About first."]
    assert dict(german.headers)["Subject"] == "Good morning"
    assert dict(german.headers)["List-Archive"].endswith("/de/newsletters/tech-news/>")


def test_a_newsletter_with_a_language_of_its_own_has_that_one_only(issue: Issue, now: datetime) -> None:
    Newsletter.objects.update(language="en")
    issue.refresh_from_db()
    approved = multilingual.approve(issue, now)
    assert (approved.snapshot.languages, Variant.objects.count()) == ((), 0)
    assert "variants" not in approved.snapshot.audience_rule


def test_preflight_names_what_readers_get_untranslated_or_stale(issue: Issue) -> None:
    levels = {one.text: one.level.value for one in checking.report(issue=issue, now=timezone.now()).findings}
    assert levels["Not translated, for 3 readers of Русский: “First”."] == "warning"
    assert levels["The original was changed since the translation, for 3 readers of Русский: “Вторая”."] == "warning"
    assert levels["Not translated, for 1 reader of Deutsch: “Second”, “First”."] == "warning"
    assert levels["Not written in Deutsch, so its 1 reader sees yours: Subject, Introduction."] == "notice"
    assert not [text for text in levels if "Кыргызча" in text]


@pytest.fixture
def worded(issue: Issue) -> Issue:
    """Other words for “Third” in English and Russian, for “First”, which no language has, in English and German."""
    first, third = (issue.items.get(article__headline=headline) for headline in ("First", "Third"))
    third.headline, third.summary = "The best", "Read this."
    third.translations = {"ru": {"headline": "Лучшая"}}
    third.save()
    first.headline, first.translations = "The least", {"de": {"headline": "Die letzte", "summary": "Nur hier."}}
    first.save()
    return issue


def test_a_story_has_the_words_that_were_written_for_this_issue_in_each_language(
    worded: Issue, now: datetime, client: Client
) -> None:
    own = multilingual.approve(worded, now).snapshot
    shown = {"en": own, "ru": variant(worded, "ru"), "de": variant(worded, "de")}
    for language, (words, others) in {
        "en": (("The best", "Read this.", "The least"), ("Third", "First")),
        "ru": (("Лучшая", "Третья.", "The least"), ("The best", "Read this.")),
        "de": (("Die dritte", "Die letzte", "Nur hier."), ("The best", "The least", "About first.")),
    }.items():
        for part in (shown[language].html, shown[language].text):
            assert [each for each in words if each not in part] == [each for each in others if each in part] == []
    foreign = BeautifulSoup(shown["de"].html, "html5lib").select('[lang="en"]')
    assert "Die letzte" not in " ".join(each.get_text() for each in foreign)
    Issue.objects.update(state=Issue.State.SENT, audience_count=6, planned_at=now)
    listed = BeautifulSoup(client.get("/ru/newsletters/tech-news/1/stories/").content, "html5lib").select("ol a")
    assert {link.text: link.get("lang") for link in listed} == {"Лучшая": None, "Вторая": None, "The least": "en"}


def test_preflight_names_words_for_a_story_that_a_language_lacks(worded: Issue) -> None:
    findings = checking.report(issue=worded, now=timezone.now()).findings
    assert [one.text.removeprefix("Not written in ") for one in findings if one.code == "words_untranslated"] == [
        "Русский, so its 3 readers see yours: headline of “First”.",
        "Русский, so its 3 readers see the translated story's own: summary of “Third”.",
        "Deutsch, so its 1 reader sees yours: Subject, Introduction.",
        "Deutsch, so its 1 reader sees the translated story's own: headline of “Third”, summary of “Third”.",
    ]


def test_an_editor_writes_words_for_a_story_in_each_language(worded: Issue, staff: Staff) -> None:
    editor = staff("Editor")
    page = BeautifulSoup(editor.get(change(worded)).content.decode(), "html5lib")
    written = {str(field["name"]): field for field in page.select(".desk-story [name*=headline_], [name*=summary_]")}
    assert len(written) == 3 * 3 * 2
    number = {row.article.headline: place for place, row in enumerate(worded.items.order_by("position"))}
    third = f"items-{number['Third']}"
    assert written[f"{third}-headline_ru"]["value"] == "Лучшая"
    assert written[f"{third}-headline_ru"]["lang"] == "ru"
    words = {f"{third}-headline_ru": "Самая лучшая", f"{third}-summary_de": "Lies  das.\nBitte."}
    assert editor.post(change(worded), items(worded, **words)).status_code == 302
    rows = {row.article.headline: row.translations for row in worded.items.all()}
    # The fields of “First” were not posted, as in a page that did not show them.
    assert rows["Third"] == {"ru": {"headline": "Самая лучшая"}, "de": {"summary": "Lies das. Bitte."}}
    assert rows["First"] == {"de": {"headline": "Die letzte", "summary": "Nur hier."}}
    refused = editor.post(change(worded), items(worded, **{f"{third}-headline_ru": "Лучшая\u202e"}))
    assert refused.status_code == 200
    assert "Not saved yet" in refused.content.decode()


def test_preflight_looks_at_each_language_and_sees_a_translation_at_once(issue: Issue, now: datetime) -> None:
    issue.translations["de"] = {"introduction": "TKTK"}
    issue.save()
    with pytest.raises(checking.Blocked, match="Deutsch: Introduction: “TKTK”"):
        approval.approve(issue=issue, actor=None, now=now)
    issue.translations["de"] = {"introduction": "Guten Morgen.", "subject": "Guten Morgen"}
    issue.save()
    checking.report(issue=issue, now=timezone.now())
    multilingual.translate(Article.objects.get(headline="First"), "de", "Die erste", now)
    texts = [one.text for one in checking.report(issue=issue, now=timezone.now()).findings]
    assert "Not translated, for 1 reader of Deutsch: “Second”." in texts
    assert multilingual.approve(issue, now).state == Issue.State.SCHEDULED


def test_a_text_that_changes_while_it_is_frozen_is_rendered_again(
    issue: Issue, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = checking.check

    def late(**values: Any) -> checking.Report:
        Article.objects.filter(headline="Die dritte").update(headline="Die bessere")
        return check(**values)

    monkeypatch.setattr(checking, "check", late)
    multilingual.approve(issue, now)
    assert "Die bessere" in variant(issue, "de").html


def test_moving_it_renders_each_again_and_taking_it_back_takes_all(issue: Issue, now: datetime) -> None:
    multilingual.approve(issue, now)
    approval.move(issue=issue, when=now + timedelta(days=1), actor=None, now=now)
    assert {one.language: "7 " in one.text or "7." in one.text for one in Variant.objects.all()} == {
        "ru": True,
        "de": True,
    }
    approval.reopen(issue=issue, reason=Reason(), actor=None, now=now)
    assert (Snapshot.objects.count(), Variant.objects.count()) == (0, 0)


def test_a_correction_is_in_the_languages_of_those_who_got_the_issue(issue: Issue, now: datetime) -> None:
    multilingual.approve(issue, now)
    got = Subscriber.objects.filter(language="ru")[:2]
    Delivery.objects.bulk_create(Delivery(issue=issue, subscriber=one, state="accepted", variant="ru") for one in got)
    Issue.objects.filter(pk=issue.pk).update(audience_count=2, planned_at=now)
    copies.close(issue, state=Issue.State.SENT)
    letter = corrections.draft(issue=issue, subject="Wrong", text="Sorry.", wrong="A name", actor=None, now=now)
    letter.translations = {"ru": {"subject": "Ошибка", "introduction": "Простите."}}
    letter.save()
    assert multilingual.approve(letter, now).snapshot.languages == ("ru",)
    russian = variant(letter, "ru")
    assert (russian.subject, "Простите." in russian.text, "Sorry." in russian.text) == ("Ошибка", True, False)


def test_the_page_of_a_reader_names_the_mail_as_it_came(issue: Issue, now: datetime, staff: Staff) -> None:
    multilingual.approve(issue, now)
    reader = Subscriber.objects.filter(language="ru").first()
    Delivery.objects.create(issue=issue, subscriber=reader, state="accepted", variant="ru")
    assert reader is not None
    page = staff("Publisher").get(reverse("desk:reader", args=[reader.uuid]))
    assert "Доброе утро" in page.content.decode()


def test_a_story_that_is_sent_at_once_has_its_text_in_the_readers_language(
    publication: Publication, newsletter: Newsletter, publish: Publish, now: datetime
) -> None:
    multilingual.speak("de", "ru")
    story = publish("The dam is full", now, body_markdown="Water at the brim.")
    multilingual.translate(story, "de", "Der Damm ist voll", now)
    instant = composing.compose_article_issue(newsletter=newsletter, article=story, now=now)
    texts = (readership.Text(VariantKey(language)) for language in ("de", "ru"))
    german, russian = (freezing.preview(issue=instant, now=now, text=text) for text in texts)
    assert german.subject == "Der Damm ist voll"
    assert "Water" not in german.html + german.text
    marked = BeautifulSoup(russian.html, "html5lib").select('div[lang="en"]')
    assert [one.get_text().strip() for one in marked] == ["Water at the brim."]
    assert "Читать" in russian.html


def test_the_web_view_of_a_language_is_what_its_readers_got(issue: Issue, now: datetime, client: Client) -> None:
    multilingual.approve(issue, now)
    Issue.objects.update(state=Issue.State.SENT, audience_count=6, planned_at=now)
    pages = {
        language: client.get(f"{prefix}/newsletters/tech-news/1/").content.decode()
        for language, prefix in (("en", ""), ("ru", "/ru"), ("ky", "/ky"), ("de", "/de"))
    }
    mails = {language: BeautifulSoup(page, "html5lib").select_one(".mail") for language, page in pages.items()}
    shown = {language: (mail["lang"], "Доброе утро" in pages[language]) for language, mail in mails.items() if mail}
    assert shown == {"en": ("en", False), "ru": ("ru", True), "ky": ("en", False), "de": ("de", False)}
    assert "Die dritte" in pages["de"]
    assert "Третья" not in pages["ky"]
    listed = client.get("/ru/newsletters/tech-news/1/stories/").content.decode()
    assert [words in listed for words in ("Третья", "Вторая", "First", "Third")] == [True, True, True, False]
    assert "Доброе утро" in client.get("/ru/newsletters/tech-news/").content.decode()
    assert "Доброе утро" not in client.get("/newsletters/tech-news/").content.decode()


def test_proofs_and_previews_are_in_the_language_that_one_asks_for(issue: Issue, now: datetime) -> None:
    assert proofs.preview(issue=issue, now=now, variant="ru").subject == "Доброе утро"
    assert proofs.preview(issue=issue, now=now, variant="fr").subject == "Good morning"
    assert [text.key for text in variant_names.looked_at(issue=issue, now=now)] == ["", "ru", "ky", "de"]
    multilingual.approve(issue, now)
    assert [text.key for text in variant_names.looked_at(issue=issue, now=now)] == ["", "ru", "de"]
    assert proofs.preview(issue=issue, now=now, variant="ru").pk == variant(issue, "ru").pk
    assert isinstance(proofs.preview(issue=issue, now=now, variant="ky"), Snapshot)


def test_an_editor_writes_proofs_and_previews_each_language(
    issue: Issue, staff: Staff, mailoutbox: list[EmailMultiAlternatives], settings: Settings
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    editor = staff("Editor")
    page = BeautifulSoup(editor.get(change(issue)).content.decode(), "html5lib")
    written = {str(field["name"]): field for field in page.select("[name^=subject], [name^=introduction]")}
    assert set(written) >= {f"{name}_{language}" for name in ("subject", "introduction") for language in ("ru", "de")}
    assert written["subject_ru"]["value"] == "Доброе утро"
    data = items(issue, subject="Good morning", subject_ru="Здравствуйте", introduction_de="**Guten Tag.**")
    assert editor.post(change(issue), data).status_code == 302
    issue.refresh_from_db()
    assert issue.translations == {"ru": {"subject": "Здравствуйте"}, "de": {"introduction": "**Guten Tag.**"}}
    preview = f"/admin/digests/issue/{issue.pk}/preview/"
    shown = BeautifulSoup(editor.get(f"{preview}?variant=ru").content.decode(), "html5lib")
    names = [link.get_text() for link in shown.select('nav [href^="?variant="]')]
    assert names == ["English (2)", "Русский (3)", "Кыргызча", "Deutsch (1)"]
    assert [link["href"] for link in shown.select('nav [aria-current="page"][href^="?"]')] == ["?variant=ru"]
    assert "Здравствуйте" in shown.get_text()
    assert "Третья" in editor.get(f"{preview}html/?variant=ru").content.decode()
    editor.post(f"/admin/digests/issue/{issue.pk}/do/proof/", {"to": "a@blocknews.example", "variant": "de"})
    assert "Guten Tag." in str(mailoutbox[-1].alternatives[0])


def test_the_desk_sees_a_readers_own_mail(issue: Issue, staff: Staff) -> None:
    reader = Subscriber.objects.filter(language="ru").first()
    assert reader is not None
    path = f"/admin/digests/issue/{issue.pk}/as-reader/"
    assert "Третья" in staff("Publisher").post(path, {"reader": reader.address}).content.decode()
