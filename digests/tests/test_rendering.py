"""What an issue says: subject, preheader, HTML and text of the three kinds."""

import re
from datetime import datetime
from io import BytesIO
from pathlib import Path

import PIL.Image
import pytest
from bs4 import BeautifulSoup
from django.core.files.base import ContentFile
from pytest_django import Settings

from articles.models import Article, Image
from digests import composing, rendering
from digests.models import Issue, IssueItem
from publication.models import Publication
from subscribers.models import Newsletter
from tests import raw_rows
from tests.cast import Publish
from tests.table import rows

HOSTILE = 'Prices & <b>"profits"</b> <script>alert(1)</script> {{ 7 }} {% now %} %%unsubscribe_url%%'


def rendered(issue: Issue, now: datetime) -> rendering.RenderedIssue:
    issue.refresh_from_db()
    return rendering.render(issue=issue, now=now)


def letter(newsletter: Newsletter, **fields: str) -> Issue:
    return Issue.objects.create(
        newsletter=newsletter, **{"subject": "A word to you", "introduction": "Hello."} | fields
    )


def page(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html5lib")


def links_in(html: str) -> list[str]:
    return [str(link["href"]) for link in page(html).find_all("a")]


def test_the_first_headline_is_the_subject_and_the_others_are_announced(digest: Issue, now: datetime) -> None:
    written = rendered(digest, now)
    assert (written.subject, written.preheader) == ("Third", "Second, First")


def test_an_editors_subject_and_preheader_win(digest: Issue, now: datetime) -> None:
    Issue.objects.filter(pk=digest.pk).update(subject="Our own", preheader="words")
    written = rendered(digest, now)
    assert (written.subject, written.preheader) == ("Our own", "words")


def test_a_digest_tells_every_story_in_both_parts(digest: Issue, now: datetime) -> None:
    written = rendered(digest, now)
    seen = page(written.html).get_text(" ")
    for number, words in enumerate(["First", "Second", "Third"], start=1):
        address = f"/articles/story-{number}/"
        assert words in seen
        assert f"About {words.lower()}." in seen
        assert any(link.endswith(address) for link in links_in(written.html))
        assert f"{words}\n\nAbout {words.lower()}.\n\nNews · By Staff Writer\nhttp" in written.text
        assert address in written.text


def test_stories_stand_in_their_order_and_those_left_out_do_not(digest: Issue, now: datetime) -> None:
    digest.items.filter(article__headline="Second").update(included=False)
    written = rendered(digest, now)
    assert "Second" not in written.html + written.text
    assert written.text.index("Third") < written.text.index("First")


def test_a_story_withdrawn_meanwhile_is_not_told(digest: Issue, now: datetime) -> None:
    Article.objects.filter(headline="Third").update(state=Article.State.WITHDRAWN)
    written = rendered(digest, now)
    assert written.subject == "Second"
    assert "Third" not in written.html + written.text


def test_an_item_may_tell_its_story_in_other_words(digest: Issue, now: datetime) -> None:
    IssueItem.objects.filter(article__headline="Third").update(headline="In short", summary="Only here.")
    written = rendered(digest, now)
    assert written.subject == "In short"
    assert "Only here." in written.html
    assert "About third." not in written.html + written.text


def test_the_footer_has_address_and_ways_out(digest: Issue, now: datetime) -> None:
    written = rendered(digest, now)
    assert {"%%unsubscribe_url%%", "%%preferences_url%%"} <= set(links_in(written.html))
    assert "Blends Media Group<br />1 Example Street<br />10115 Berlin" in written.html
    assert written.text.endswith(
        "Choose what you receive:\n%%preferences_url%%\n\nUnsubscribe:\n%%unsubscribe_url%%\n\n"
        "Block News International is published by Blends Media Group.\n"
        "Blends Media Group\n1 Example Street\n10115 Berlin\n"
    )


def test_only_known_slots_are_left(digest: Issue, now: datetime) -> None:
    written = rendered(digest, now)
    assert set(re.findall(r"%%(\w+)%%", written.html)) == {"unsubscribe_url", "preferences_url"}
    assert set(re.findall(r"%%(\w+)%%", written.text)) == {"unsubscribe_url", "preferences_url"}


def test_text_lines_are_short_unless_they_are_an_address(digest: Issue, now: datetime) -> None:
    Article.objects.update(standfirst="A long sentence that goes on and on. " * 12)
    Issue.objects.filter(pk=digest.pk).update(introduction="Words, and *more* words. " * 30)
    lines = rendered(digest, now).text.splitlines()
    assert max(len(line) for line in lines if "://" not in line) <= 76
    assert sum("A long sentence" in line for line in lines) >= 9


def test_what_editors_type_is_text_and_never_a_slot_or_a_tag(digest: Issue, publish: Publish, now: datetime) -> None:
    Article.objects.filter(headline="Third").update(headline=HOSTILE, standfirst=HOSTILE)
    Issue.objects.filter(pk=digest.pk).update(introduction="Write %%unsubscribe_url%% and %%to%% & <i>smile</i>.")
    written = rendered(digest, now)
    assert len(page(written.html).find_all("script")) == 0
    assert written.html.count("%%unsubscribe_url%%") == 1
    assert written.text.count("%%unsubscribe_url%%") == 1
    assert "%%" not in written.subject.replace("%\u2060%", "")[:-2]
    seen = page(written.html).get_text()
    assert HOSTILE in seen
    assert "Write %%unsubscribe_url%% and %%to%% &" in seen
    assert "<script>alert(1)</script> {{ 7 }} {% now %}" in " ".join(written.text.split())


def test_text_around_a_slot_cannot_reach_into_it(digest: Issue, now: datetime) -> None:
    Article.objects.filter(headline="Third").update(headline="%%%unsubscribe_url%%%", standfirst="100%%%%to%%%%")
    written = rendered(digest, now)
    for part in (written.html, written.text, written.subject):
        assert not re.findall(r"%%to%%", part)
    assert written.html.count("%%unsubscribe_url%%") == written.text.count("%%unsubscribe_url%%") == 1
    assert "%%unsubscribe_url%%" not in written.subject


@rows("standfirst", ["One\r\ntwo", "One\x0btwo", "One\u2028two", "One\n\n \u202e\x01two\u202c"])
def test_a_line_break_in_a_standfirst_is_no_reason_to_send_nothing(
    newsletter: Newsletter, publish: Publish, now: datetime, standfirst: str
) -> None:
    story = publish("Alone", now)
    raw_rows.write(Article, standfirst=standfirst)
    issue = composing.compose_article_issue(newsletter=newsletter, article=story, now=now)
    assert rendered(issue, now).preheader == "One two"


def test_an_article_issue_brings_the_whole_story(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    story = publish("Alone", now, body_markdown="## Why\n\nBecause of [this](/articles/other/).")
    issue = composing.compose_article_issue(newsletter=newsletter, article=story, now=now)
    written = rendered(issue, now)
    assert (written.subject, written.preheader) == ("Alone", "About alone.")
    assert "http://127.0.0.1:8000/articles/other/" in links_in(written.html)
    assert "Because of" in page(written.html).get_text()
    assert "Because of this" in written.text
    assert "http://127.0.0.1:8000/articles/other/" in written.text


def test_a_letter_is_the_editors_own_words(newsletter: Newsletter, now: datetime) -> None:
    written = rendered(
        letter(newsletter, introduction="## Dear readers\n\nRead [this](https://blocknews.example/)."), now
    )
    assert written.subject == "A word to you"
    assert "https://blocknews.example/" in links_in(written.html)
    assert "Dear readers" in written.text
    assert written.preheader.startswith("Dear readers")


@rows(
    ("fields", "sentence"),
    [
        ({"subject": ""}, "no subject"),
        ({"introduction": " "}, "no text"),
        ({"subject": "a\u202eb"}, "Subject: Character 2"),
    ],
)
def test_a_letter_that_is_not_finished_is_refused(
    newsletter: Newsletter, now: datetime, fields: dict[str, str], sentence: str
) -> None:
    with pytest.raises(rendering.RenderingError, match=sentence):
        rendered(letter(newsletter, **fields), now)


def test_a_digest_without_stories_is_refused(digest: Issue, now: datetime) -> None:
    Article.objects.update(state=Article.State.WITHDRAWN)
    with pytest.raises(rendering.RenderingError, match="No published story is left"):
        rendered(digest, now)


def test_pictures_have_whole_addresses_alt_text_and_credit(
    digest: Issue, now: datetime, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    drawn = BytesIO()
    PIL.Image.new("RGB", (40, 30)).save(drawn, "PNG")
    file = ContentFile(drawn.getvalue(), name="bank.png")
    picture = Image.objects.create(file=file, alt='A "bank"', caption="The bank.", credit="Jane Roe/Agency")
    Article.objects.update(lead_image=picture)
    html = page(rendered(digest, now).html)
    shown = html.find_all("img")
    assert len(shown) == 3
    assert {image["alt"] for image in shown} == {'A "bank"'}
    assert {image["src"] for image in shown} == {f"http://127.0.0.1:8000{picture.file.url}"}
    assert "The bank. Picture: Jane Roe/Agency" in html.get_text()


def test_nothing_is_loaded_from_strangers(digest: Issue, now: datetime) -> None:
    html = rendered(digest, now).html
    assert not re.findall(r"@import|<link|url\(", html)


def test_the_preview_line_of_inboxes_is_padded(digest: Issue, now: datetime) -> None:
    hidden = page(rendered(digest, now).html).find("div", style=re.compile("display:none"))
    assert hidden is not None
    assert hidden.get_text().startswith("Second, First")
    assert len(hidden.get_text()) > 200


def headings(html: str) -> list[tuple[str, str]]:
    return [
        (str(heading.name), heading.get_text(strip=True)) for heading in page(html).find_all(re.compile("^h[1-6]$"))
    ]


def test_it_can_be_read_by_its_headings(digest: Issue, newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    stories = [("h2", "Third"), ("h2", "Second"), ("h2", "First")]
    assert headings(rendered(digest, now).html) == [("h1", newsletter.name), *stories]
    assert headings(rendered(letter(newsletter), now).html) == [("h1", newsletter.name)]
    story = composing.compose_article_issue(article=publish("Alone", now), newsletter=newsletter, now=now)
    assert headings(rendered(story, now).html) == [("h1", "Alone")]


def test_outlook_is_told_everything_on_the_element(digest: Issue, now: datetime) -> None:
    html = rendered(digest, now).html
    assert "<!--[if mso | IE]><table" in html
    for heading in page(html).find_all(["h1", "h2"]):
        style = str(heading["style"])
        assert {"margin", "font-family", "font-size", "font-weight", "color"} <= {
            rule.partition(":")[0] for rule in style.split(";")
        }
        assert "inherit" not in style


def test_headlines_have_the_voice_of_the_site(digest: Issue, now: datetime) -> None:
    Publication.objects.update(typeface="bulletin")
    heading = page(rendered(digest, now).html).find("h1")
    assert heading is not None
    assert "font-family:Arial, 'Helvetica Neue'" in str(heading["style"])


def test_dark_mode_is_declared(digest: Issue, now: datetime) -> None:
    html = rendered(digest, now).html
    assert '<meta name="color-scheme" content="light dark"' in html
    assert "prefers-color-scheme: dark" in html
    assert "[data-ogsc] .ink h1" in html


def test_a_pale_accent_can_be_read_by_day_and_by_night(digest: Issue, now: datetime) -> None:
    Publication.objects.update(accent_colour="#ffee88")
    day, night = rendered(digest, now).html.split("@media (prefers-color-scheme: dark)")
    assert "#ffee88" not in day
    assert "color: #ffee88" in night


def test_every_part_says_the_day_in_the_newsletters_zone(newsletter: Newsletter, now: datetime) -> None:
    Newsletter.objects.update(time_zone="Pacific/Kiritimati")
    newsletter.refresh_from_db()
    written = rendered(letter(newsletter), now.replace(hour=11))
    assert "7 May 2025" in page(written.html).get_text()
    assert "7 May 2025" in written.text


def test_colours_and_names_are_the_houses_own(digest: Issue, now: datetime) -> None:
    Publication.objects.update(accent_colour="#123456", name="A & B <News>", strapline="We & you")
    written = rendered(digest, now)
    assert "#123456" in written.html
    assert "A & B <News>" in page(written.html).get_text()
    assert "A & B <News>" in written.text
