"""The catalogues: `locale/<language>/LC_MESSAGES/django.po`, and beside each the compiled file that Django reads."""

from __future__ import annotations

import gettext
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import django
import polib
from django.utils.translation import to_locale

from newsroom.translations.sentences import ROOT, Sentence

LOCALE: Final = ROOT / "locale"
# The readers' sentences are in these files and must be complete in every language; the others are the editors'.
READERS_TEMPLATES: Final = re.compile(r"templates/(?!admin/|unfold/|account/|allauth/|mfa/|inbox/|\w+/admin/)")
READERS_MODULES: Final = (
    "articles/captions.py", "articles/correction_views.py", "articles/notes.py", "articles/search.py",
    "articles/search_views.py", "articles/seo.py", "articles/teasers.py", "articles/views.py", "digests/heads.py",
    "digests/layout.py", "digests/views.py", "mailkit/addresses.py", "newsroom/middleware.py",
    "publication/formats.py", "publication/language_switch.py", "publication/scrolling.py", "publication/times.py",
    "subscribers/address_change.py", "subscribers/address_change_views.py", "subscribers/cadences.py",
    "subscribers/forms.py", "subscribers/hours_form.py", "subscribers/leaving_model.py",
    "subscribers/letters/render.py", "subscribers/link_views.py", "subscribers/links.py",
    "subscribers/newsletters.py",
    "subscribers/personal_views.py", "subscribers/preference_views.py", "subscribers/preferences.py",
    "subscribers/reduction_model.py", "subscribers/request_context.py", "subscribers/terms.py",
    "subscribers/throttle.py", "subscribers/views.py",
)  # fmt: skip
PLACEHOLDER: Final = re.compile(r"%(?:\((\w+)\))?[sd]")
# Django's own catalogue where a language has none: two forms, as English has.
USUAL_PLURALS: Final = "nplurals=2; plural=(n != 1);"
# As CLDR counts, where Django's own catalogue counts otherwise: it has one form for Kyrgyz, which needs two ("Түзөтүү",
# "Түзөтүүлөр"). Django keeps catalogues that count differently apart, and asks ours first.
OWN_PLURALS: Final = {"ky": USUAL_PLURALS}


class NoSuchLanguage(ValueError):
    """Django knows no language of this code."""


def path_of(language: str) -> Path:
    """Where the catalogue of a language is."""
    return LOCALE / to_locale(language) / "LC_MESSAGES" / "django.po"


def languages() -> list[str]:
    """The languages that have a catalogue."""
    return [
        path.parent.parent.name.replace("_", "-").lower() for path in sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))
    ]


def read(language: str) -> polib.POFile:
    """The catalogue as it is; an empty one for a new language."""
    path = path_of(language)
    if path.exists():
        return polib.pofile(str(path), wrapwidth=110)
    catalogue = polib.POFile(wrapwidth=110)
    catalogue.metadata = {
        "Language": to_locale(language),
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": _plural_forms(language),
    }
    return catalogue


def updated(catalogue: polib.POFile, sentences: Iterable[Sentence]) -> polib.POFile:
    """The catalogue with exactly these sentences; translations of those that it had are kept.

    A sentence that was changed is a new one: a translation of other words is never guessed.
    """
    translated = {(entry.msgctxt or "", entry.msgid): entry for entry in catalogue}
    files: dict[tuple[str, str], set[str]] = defaultdict(set)
    plurals: dict[tuple[str, str], str] = {}
    for sentence in sentences:
        key = (sentence.context, sentence.msgid)
        files[key].add(sentence.file)
        plurals[key] = plurals.get(key) or sentence.plural
    fresh = polib.POFile(wrapwidth=110)
    fresh.metadata, fresh.header = catalogue.metadata, catalogue.header
    forms = int(catalogue.metadata["Plural-Forms"].partition("nplurals=")[2].partition(";")[0])
    for key in sorted(files, key=lambda key: (not is_for_readers(files[key]), min(files[key]), key)):
        entry = _entry(key, plurals[key], sorted(files[key]), forms)
        if (known := translated.get(key)) is not None and known.msgid_plural == entry.msgid_plural:
            entry.msgstr, entry.msgstr_plural, entry.tcomment = known.msgstr, known.msgstr_plural, known.tcomment
        fresh.append(entry)
    return fresh


def save(catalogue: polib.POFile, *, language: str) -> None:
    """Write the catalogue and compile it."""
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(path))
    path.with_suffix(".mo").write_bytes(catalogue.to_binary())


def is_for_readers(files: Iterable[str]) -> bool:
    """Whether a sentence of these files is shown to readers."""
    return any(file in READERS_MODULES or READERS_TEMPLATES.match(file) for file in files)


def missing(catalogue: polib.POFile, *, readers_only: bool) -> list[polib.POEntry]:
    """Entries without a translation, or with one for some of the plural forms only."""
    return [
        entry
        for entry in catalogue
        if not (all(entry.msgstr_plural.values()) if entry.msgid_plural else entry.msgstr)
        and (not readers_only or is_for_readers(file for file, _line in entry.occurrences))
    ]


def faults(entry: polib.POEntry) -> list[str]:
    """What is wrong with a translation: placeholders that differ, a line more at an end, a guess."""
    sentences = [text for text in (entry.msgstr, *entry.msgstr_plural.values()) if text]
    wanted = set(PLACEHOLDER.findall(entry.msgid + entry.msgid_plural))
    differing = [f"{text!r} has other placeholders" for text in sentences if not _fits(text, entry, wanted)]
    ends = [f"{text!r} begins or ends otherwise" for text in sentences if _edges(text) != _edges(entry.msgid)]
    return differing + ends + (["it is marked as fuzzy"] if entry.fuzzy else [])


def _fits(text: str, entry: polib.POEntry, wanted: set[str]) -> bool:
    """The same placeholders; a plural form may leave out the number that it writes as a word."""
    given = set(PLACEHOLDER.findall(text))
    return given == wanted or bool(entry.msgid_plural and given == set(PLACEHOLDER.findall(entry.msgid)))


def _edges(text: str) -> tuple[str, str]:
    """The white space before and after the words."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _entry(key: tuple[str, str], plural: str, files: list[str], forms: int) -> polib.POEntry:
    context, msgid = key
    return polib.POEntry(
        msgctxt=context or None,
        msgid=msgid,
        msgid_plural=plural,
        msgstr_plural=dict.fromkeys(range(forms), "") if plural else {},
        occurrences=[(file, "") for file in files],
        flags=["python-format"] if PLACEHOLDER.search(msgid) else [],
    )


def _plural_forms(language: str) -> str:
    """As CLDR or Django's own catalogue of that language counts. On failure: NoSuchLanguage."""
    if language in OWN_PLURALS:
        return OWN_PLURALS[language]
    folder = Path(django.__file__).parent / "conf" / "locale" / to_locale(language) / "LC_MESSAGES"
    if not folder.is_dir():
        raise NoSuchLanguage(f"Django knows no language “{language}”. Use a code such as de, pt-br or zh-hans.")
    with (folder / "django.mo").open("rb") as compiled:
        return str(gettext.GNUTranslations(compiled).info().get("plural-forms", USUAL_PLURALS))
