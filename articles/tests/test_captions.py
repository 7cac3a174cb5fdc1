"""A caption and a credit are two things, and a reader sees where one ends."""

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from articles import captions, markup
from articles.models import Image
from articles.tests.conftest import StoryMaker


@pytest.mark.parametrize(
    ("caption", "credit", "line"),
    [
        ("The dam in May", "X", "The dam in May. Picture: X"),
        ("The dam in May.", "X", "The dam in May. Picture: X"),
        ("Is it full?", "X", "Is it full? Picture: X"),
        ("Full!", "X", "Full! Picture: X"),
        ("And then…", "X", "And then… Picture: X"),
        ("He said “no.”", "X", "He said “no.” Picture: X"),
        ("He said “no”", "X", "He said “no”. Picture: X"),
        ("„Nein!“", "X", "„Nein!“ Picture: X"),
        ("The dam (in May.)", "X", "The dam (in May.) Picture: X"),
        ("The dam (in May)", "X", "The dam (in May). Picture: X"),
        ("From left:", "X", "From left. Picture: X"),
        ("The dam, ", "X", "The dam. Picture: X"),
        ("Плотина в мае", "ТАСС", "Плотина в мае. Picture: ТАСС"),
        ("五月的水坝。", "新华社", "五月的水坝。 Picture: 新华社"),
        ("هل السد ممتلئ؟", "X", "هل السد ممتلئ؟ Picture: X"),
        ("", "X", "Picture: X"),
        ("  ", " X ", "Picture: X"),
        ("The dam in May", "", "The dam in May"),
        ("The dam in May", "  ", "The dam in May"),
        ("The dam in May", "Photo: Jane Roe", "The dam in May. Photo: Jane Roe"),
        ("The dam in May", "© Agency", "The dam in May. © Agency"),
        ("", "", ""),
    ],
)
def test_a_line_says_both(caption: str, credit: str, line: str) -> None:
    assert captions.note(caption=caption, credit=credit) == line


def test_so_it_does_within_a_story_above_it_and_in_its_text(client: Client, story: StoryMaker, picture: Image) -> None:
    article = story(state="published", lead_image=picture, body_markdown=f'Text.\n\n![x](image:{picture.pk} "In June")')
    page = BeautifulSoup(client.get(article.get_absolute_url()).content, "html5lib")
    lines = [" ".join(each.get_text().split()) for each in page.select("figcaption")]
    assert lines == ["The pass in May. Picture: Jane Roe/Agency", "In June. Picture: Jane Roe/Agency"]
    assert "In June. Picture: Jane Roe/Agency" in article.body_text
    assert "The pass in May. Picture" in markup.render(f"![](image:{picture.pk})").text
