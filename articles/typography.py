"""Headlines as a typesetter writes them: the quotes and dashes of the language, and no word alone on a line."""

import functools
import re
from typing import Final

NBSP: Final = "\N{NO-BREAK SPACE}"
# The quotes of a headline; every language that is not here has those of English.
QUOTES: Final = {"ru": "«»", "ky": "«»", "kk": "«»", "uk": "«»", "be": "«»", "fr": "«»", "de": "„“", "en": "“”"}
SINGLE: Final = {"de": "‚‘", "en": "‘’"}
# A dash between words: with a space on both sides, or as English newspapers set it.
DASHES: Final = {"ru": "—", "ky": "—", "kk": "—", "uk": "—", "be": "—"}
# Words of one or two letters stay with what follows them, in languages that have many such.
LEADING: Final = {"ru", "ky", "kk", "uk", "be"}
SHORT_WORD: Final = re.compile(r"(?<!\w)(\w{1,2}) (?=\w)")
DASH: Final = re.compile(r"(?<=\S)[ \u00a0]+(?:-{1,3}|[–—])[ \u00a0]+(?=\S)")
RANGE: Final = re.compile(r"(?<![\w-])(\d{1,4})-(\d{2,4})(?![\w-])")
OPENING: Final = re.compile(r"(^|[\s(\[{«„“‘–—])\"")
OPENING_SINGLE: Final = re.compile(r"(^|[\s(\[{«„“–—])'(?=\w[^']*\w?'(?!\w))")
# The last two words go to the next line together; a long last word is no widow, and has to break somewhere. Behind a
# long word it stays alone: together they would be wider than a telephone.
LAST_WORD: Final = re.compile(r"(?<=\S)(?<!\S{10}) (?=\S{1,12}$)")
WORDS_WITHOUT_WIDOW: Final = 4


@functools.lru_cache(maxsize=2_048)
def headline(text: str, language: str) -> str:
    """The text in this language, such as `en` or `ru-kg`; quotes and dashes that are right already stay."""
    language = language.partition("-")[0].lower()
    opening, closing = tuple(QUOTES.get(language, QUOTES["en"]))
    open_single, close_single = tuple(SINGLE.get(language, SINGLE["en"]))
    text = OPENING.sub(rf"\1{opening}", text).replace('"', closing)
    text = OPENING_SINGLE.sub(rf"\1{open_single}", text)
    if close_single != "’":
        text = re.sub(rf"({open_single}[^']*)'(?!\w)", rf"\1{close_single}", text)
    text = text.replace("'", "’").replace("...", "…")
    text = RANGE.sub(r"\1–\2", text)
    text = DASH.sub(f"{NBSP}{DASHES.get(language, '–')} ", text)
    if language in LEADING:
        text = SHORT_WORD.sub(rf"\1{NBSP}", text)
    return LAST_WORD.sub(NBSP, text) if len(text.split(" ")) >= WORDS_WITHOUT_WIDOW else text
