"""Two languages that nobody speaks, one of them written from right to left: text that bypasses gettext is seen in them.

Every sentence of ours is between marks, with accents and 40 % longer. The stack's settings know both; they have pages
while a test asks for them.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
from django.utils.translation import to_locale
from playwright.sync_api import Page

from newsroom import embedded_place
from newsroom.demonstration.load import PUBLICATION
from newsroom.demonstration.past_issue import SUBJECT
from newsroom.translations import catalogue, sentences

LANGUAGES: Final = ("en-xa", "ar-xb")
OPEN, CLOSE = "⟦", "⟧"
ACCENTED: Final = str.maketrans("aceinosuyzACEINOSUYZ", "àçéîñöšüýžÀÇÉÎÑÖŠÜÝŽ")
LONGER: Final = " éxtrà wörd"
# What is in a sentence and no words: values, HTML, entities.
NO_WORDS: Final = re.compile(r"(%\(\w+\)[sd]|%[%sd]|\{[^{}]*\}|<[^<>]+>|&#?\w+;)")
# How a day is written is no sentence.
IS_FORMAT: Final = re.compile(r"for Django's date filter$")
# As often as web processes look whether the database has changed, and a little more.
UNTIL_SEEN: Final = 1.2
# Table -> the columns that have a name in each language.
NAMED: Final = {
    "articles_section": ("name", "description"), "articles_tag": ("name",),
    "articles_author": ("name", "role", "biography"), "subscribers_newsletter": ("name", "description"),
    "subscribers_legaldocument": ("title",),
}  # fmt: skip
SPOKEN: Final = """
UPDATE publication_publication SET further_languages = array_append(further_languages, %(language)s);
UPDATE articles_article SET language = %(language)s, headline = '⟦' || headline || '⟧',
    standfirst = '⟦' || standfirst || '⟧' WHERE language = 'en';
"""
WORDS: Final = "jsonb_build_object(%(language)s, jsonb_build_object({pairs}))"
SILENT: Final = """
UPDATE publication_publication SET further_languages = array_remove(further_languages, %(language)s);
UPDATE articles_article SET language = 'en', headline = btrim(headline, '⟦⟧'), standfirst = btrim(standfirst, '⟦⟧')
    WHERE language = %(language)s;
"""
# Latin letters outside of marks, in the page's own language; not in texts of stories, subjects of issues and names.
UNMARKED: Final = """names => {
  const isWords = text => /[A-Za-z]{2}/.test(names.reduce((rest, name) => rest.replaceAll(name, ""), text));
  const page = document.documentElement.lang, unmarked = [];
  const isSubject = link => /[/]newsletters[/][^/]+[/][0-9]+[/]$/.test(link?.pathname);
  const isOurs = element => element.closest("[lang]").lang === page && !isSubject(element.closest("a"))
    && !element.closest("script, style, .prose, .mail, figcaption, .hit__excerpt, .byline, .notes__text")
    && !element.closest(".sample .standfirst");
  let depth = 0;
  const walk = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walk.currentNode; node; node = walk.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) {
      let outside = "";
      for (const letter of node.data) {
        if (letter === "⟦") depth += 1;
        else if (letter === "⟧") depth -= 1;
        else if (!depth) outside += letter;
      }
      if (isOurs(node.parentElement) && isWords(outside)) unmarked.push(outside.trim());
      continue;
    }
    if (!isOurs(node)) continue;
    for (const name of ["aria-label", "aria-description", "placeholder", "title", "data-done"]) {
      const text = (node.getAttribute(name) || "").replace(/⟦.*⟧/s, "");
      if (isWords(text)) unmarked.push(`${name}: ${text}`);
    }
  }
  return unmarked;
}"""
NAMES: Final = (
    *(PUBLICATION[name] for name in ("name", "owner", "strapline", "contact_address")),
    *str(PUBLICATION["postal_address"]).splitlines(),
    SUBJECT, "RSS", "Atom", "JSON", "WhatsApp", "Telegram", "Facebook", "Bluesky", "LinkedIn", "X",
    *map(str.capitalize, LANGUAGES),
)  # fmt: skip


def write_catalogues(folder: Path) -> None:
    """Compile a catalogue for each, as Django looks for them below `folder`."""
    known = list(sentences.everything())
    for language in LANGUAGES:
        entries = catalogue.updated(catalogue.read("de"), known)
        entries.metadata |= {"Language": to_locale(language), "Plural-Forms": catalogue.USUAL_PLURALS}
        for entry in entries:
            if IS_FORMAT.search(entry.msgctxt or ""):
                entry.msgstr = entry.msgid
            elif entry.msgid_plural:
                entry.msgstr_plural = {0: _said(entry.msgid), 1: _said(entry.msgid_plural)}
            else:
                entry.msgstr = _said(entry.msgid)
        path = folder / to_locale(language) / "LC_MESSAGES"
        path.mkdir(parents=True)
        entries.save_as_mofile(str(path / "django.mo"))


@contextlib.contextmanager
def pages_in(language: str, *, var: Path) -> Iterator[None]:
    """Until the block ends the language has pages, and the demonstration's English stories are in it."""
    with psycopg.connect(embedded_place.place(var).owner_url, autocommit=True) as database:
        cursor = psycopg.ClientCursor(database)
        cursor.execute(SPOKEN + _names("translations || " + WORDS), {"language": language})
        time.sleep(UNTIL_SEEN)
        try:
            yield
        finally:
            cursor.execute(SILENT + _names("translations - %(language)s"), {"language": language})
            time.sleep(UNTIL_SEEN)


def unmarked(page: Page) -> list[str]:
    """The texts of the page that no catalogue has."""
    texts: list[str] = page.evaluate(UNMARKED, list(NAMES))
    return texts


def _names(change: str) -> str:
    return "".join(
        f"UPDATE {table} SET translations = {change.format(pairs=_pairs(columns))};"  # noqa: S608  # of constants
        for table, columns in NAMED.items()
    )


def _pairs(columns: tuple[str, ...]) -> str:
    return ", ".join(f"'{column}', '{OPEN}' || {column} || '{CLOSE}'" for column in columns)


def _said(text: str) -> str:
    parts = NO_WORDS.split(text)
    words = "".join(part if number % 2 else part.translate(ACCENTED) for number, part in enumerate(parts))
    more = round(0.4 * sum(map(len, parts[::2])) / len(LONGER))
    return f"{OPEN}{words}{LONGER * more}{CLOSE}"
