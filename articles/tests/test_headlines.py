"""No character that would break, or disguise, a mail's header reaches a public headline."""

from datetime import datetime

import pytest
from django.core.exceptions import ValidationError

from articles import publishing
from articles.models import Article, Section
from articles.tests.conftest import StoryMaker
from tests import raw_rows
from tests.table import rows

CONTROLS = [*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u2028", "\u2029"]
# What turns words round: nobody can say which of them was meant.
REORDERING = [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
NO_DATABASE_TAKES_IT = "\x00"


@rows("character", CONTROLS)
def test_a_control_character_is_taken_out(character: str, story: StoryMaker, now: datetime) -> None:
    article = story(headline=f"Bitcoin{character}Subject: rises")
    publishing.publish(article=article, actor=None, now=now)
    assert article.headline in {"BitcoinSubject: rises", "Bitcoin Subject: rises"}


@rows("character", REORDERING)
def test_the_model_refuses_what_reorders(character: str, section: Section) -> None:
    article = Article(headline=f"Bitcoin{character}Subject: rises", slug="bitcoin", section=section)
    with pytest.raises(ValidationError) as refused:
        article.full_clean()
    assert "headline" in refused.value.message_dict


@rows(
    "character",
    [each for each in CONTROLS + REORDERING if each != NO_DATABASE_TAKES_IT],
)
def test_no_verb_lets_it_pass_either(character: str, story: StoryMaker, now: datetime) -> None:
    article = story()
    raw_rows.write(Article, headline=f"Bitcoin{character}Subject: rises")
    with pytest.raises(publishing.NotReady, match="Headline: Character 8 is invisible"):
        publishing.publish(article=article, actor=None, now=now)
    with pytest.raises(publishing.NotReady):
        publishing.save_revision(article=article, actor=None, now=now)
    article.refresh_from_db()
    assert article.state == Article.State.DRAFT


@rows("headline", ["Crypto\u2019s \u201creserve\u201d: 100 %", "Банк", "比特币", "Ünïcödé & <tags>", "🚀 up"])
def test_ordinary_headlines_of_every_script_pass(headline: str, story: StoryMaker, now: datetime) -> None:
    article = story(headline=headline)
    publishing.publish(article=article, actor=None, now=now)
    assert article.headline == headline
