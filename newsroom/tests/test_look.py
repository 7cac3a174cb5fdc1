"""One style sheet with the publication's own look, under a name of its own; faces with the letters that we need."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from fontTools.ttLib import TTFont

from newsroom.running import fonts
from publication import stylesheet, typefaces
from publication.models import Publication

FOLDER = Path(settings.BASE_DIR) / "static" / "fonts"
ENGLISH = "“Quoted” – $12 €, naïve façade; it’s 50 % … №"
# A page with these alone loads two files.
PLAIN = "“It’s ‘so’,” she said – $12 million, or €10; 50 % … © Ann: 1–2 · “A” (b) [c] #d @e / § « »"
GERMAN = "„Größe“ – ÄÖÜ äöüß, ‚so‘ à 12 %"
RUSSIAN = "«Съешь ещё этих мягких французских булок» — №"
KYRGYZ = "ҢңӨөҮү"


def look(**values: str | list[str]) -> stylesheet.Sheet:
    row, _created = Publication.objects.update_or_create(pk=1, defaults=values)
    return stylesheet.current(row)


@pytest.mark.django_db
def test_the_sheet_has_the_colours_and_the_type_and_is_kept_for_a_year(client: Client) -> None:
    sheet = look(accent_colour="#0b5d4e", typeface="review")
    response = client.get(sheet.path)
    assert response["Content-Type"].startswith("text/css")
    assert "immutable" in response["Cache-Control"]
    rules = response.content.decode()
    assert "--accent: #0b5d4e" in rules
    assert "review-latin.woff2" in rules
    assert "broadsheet" not in rules
    assert not response.cookies


@pytest.mark.django_db
def test_an_older_name_shows_the_look_of_now_and_is_not_kept(client: Client) -> None:
    before, after = look(accent_colour="#0b5d4e"), look(accent_colour="#1a4d8f")
    assert before.path != after.path
    response = client.get(before.path)
    assert "--accent: #1a4d8f" in response.content.decode()
    assert response["Cache-Control"] == "no-cache"


@pytest.mark.django_db
def test_a_page_blocks_on_this_sheet_alone_and_preloads_the_letters_of_its_language(client: Client) -> None:
    sheet = look(further_languages=["ru", "de"])
    for path, scripts in (("/", {"latin"}), ("/ru/", {"latin", "cyrillic"}), ("/de/", {"latin", "latin-1"})):
        page = client.get(path).content.decode()
        assert re.findall(r'<link rel="stylesheet" href="([^"]+)"', page) == [sheet.path]
        assert set(re.findall(r'preload"\s+href="[^"]+?-(latin-1|latin|cyrillic)[.0-9a-f]*woff2"', page)) == scripts


@pytest.mark.parametrize("face", [face.name for face in fonts.FACES])
def test_every_face_has_the_letters_of_english_german_russian_and_kyrgyz(face: str) -> None:
    letters = {
        script: set(TTFont(FOLDER / f"{face}-{script}.woff2").getBestCmap())
        for script in ("latin", "latin-1", "cyrillic", "cyrillic-ext")
    }
    assert {ord(letter) for letter in GERMAN} <= letters["latin"] | letters["latin-1"]
    assert not letters["latin"] & letters["latin-1"]
    assert {ord(letter) for letter in PLAIN} <= letters["latin"]
    assert {ord(letter) for letter in ENGLISH} <= letters["latin"] | letters["latin-1"] | letters["cyrillic"]
    assert {ord(letter) for letter in RUSSIAN} <= letters["latin"] | letters["cyrillic"]
    assert {ord(letter) for letter in KYRGYZ} <= letters["cyrillic-ext"]


def test_pages_ask_a_file_for_what_it_was_cut_to() -> None:
    for script, characters in typefaces.RANGES.items():
        asked = {
            code
            for first, _, last in (part.removeprefix("U+").partition("-") for part in characters.split(","))
            for code in range(int(first, 16), int(last or first, 16) + 1)
        }
        assert fonts.unicodes(script) <= asked


def test_minifying_keeps_what_a_browser_reads() -> None:
    rules = 'a > b :is(c, d) { x: calc(1px + 2px); /* a note */ y: "a b" }\n\n@media (min-width: 2em) { e { z: 1 } }'
    assert stylesheet.small(rules) == 'a > b :is(c,d){x: calc(1px + 2px);y: "a b"}@media (min-width: 2em){e{z: 1}}'
