"""Words that readers may have meant: known ones that are a slip of the keyboard apart from what was typed.

A slip is a letter too many, a letter too few, a wrong letter, or two letters changed round: in all four the two words
are the same after each has lost at most one letter. So a word is stored with all of its shortened forms, and one look
into their index has every word that is meant (Wolf Garbe's symmetric deletes).
"""

from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import Func, TextField

from articles.models import SearchWord
from articles.search_query import Part, folded

SHORTEST: Final = 4
MOST: Final = 200


def mended(parts: list[Part]) -> list[Part]:
    """The same parts, with each word that no public story has led back to a known one; unchanged where none is near."""
    return [part if part.is_unwanted else replace(part, words=tuple(map(_known, part.words))) for part in parts]


def _known(word: str) -> str:
    if len(word) < SHORTEST:
        return word
    forms = Func(folded(word), function="articles_shortened", output_field=ArrayField(TextField()))
    near = list(SearchWord.objects.filter(shortened__overlap=forms).values_list("word", flat=True)[:MOST])
    typed = word.lower()
    return max(near, key=lambda each: (SequenceMatcher(None, typed, each).ratio(), each), default=word)
