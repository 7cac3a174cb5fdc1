"""Which language a page, a letter or a digest speaks: docs/decisions/0014-language-comes-from-the-address.md.

The sentences are in the catalogues of `locale/`; English is what the source says. A language without a
catalogue of ours is declared on the page and spoken in English.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, NamedTuple

from django.conf import settings
from django.conf.locale import LANG_INFO
from django.urls import get_script_prefix, reverse, set_script_prefix
from django.utils import translation

from publication.models import Publication


class Pages(NamedTuple):
    """The language that is written at this moment, and those that have pages, the first one first."""

    language: str
    served: tuple[str, ...]


# Where Django's own list has another spelling than newspapers in that language, or none.
OWN_NAMES: Final = {"ky": "Кыргызча", "ru": "Русский"}
_pages: Final[ContextVar[Pages | None]] = ContextVar("pages", default=None)
_publication: Final[ContextVar[Callable[[], Publication]]] = ContextVar(
    "publication", default=Publication.objects.current
)


def catalogue(language: str) -> str:
    """The catalogue nearest to this language; English where there is none."""
    try:
        return translation.get_supported_language_variant(language)
    except LookupError:
        return settings.LANGUAGE_CODE


def names() -> list[tuple[str, str]]:
    """(code, own name) of every language that has a catalogue."""
    return list(settings.LANGUAGES)


def prefix(*, language: str, publication: Publication) -> str:
    """The prefix of paths in this language: `/` for the publication's first one, `/ru/` for a further one."""
    return _prefix(language, publication.languages)


@contextmanager
def override(language: str, *, publication: Publication | None = None) -> Iterator[None]:
    """Sentences, dates and the addresses of pages are in this language until the block ends.

    Empty: in the publication's own. Whatever the thread spoke before, it speaks again afterwards.
    """
    publication = publication or Publication.objects.current()
    language = language or publication.language
    token = _pages.set(Pages(language, tuple(publication.languages)))
    try:
        with translation.override(catalogue(language)), _addresses_below(_prefix(language, publication.languages)):
            yield
    finally:
        _pages.reset(token)


def first() -> str:
    """The publication's first language, in which a new story is unless somebody says otherwise."""
    return _now().served[0]


def of_pages() -> str:
    """The language whose pages are written at this moment; the first where that one has no pages."""
    language, served = _now()
    return language if language in served else served[0]


def further() -> tuple[str, ...]:
    """The languages that have pages of their own beside the first."""
    return _now().served[1:]


def has_pages(language: str) -> bool:
    """Whether this is one of the publication's languages."""
    return language in _now().served


def path_in(language: str, name: str, *, args: Sequence[object] = ()) -> str:
    """`reverse`, for the page in this language; in the first language where that one has no pages."""
    return _path(_prefix(language, _now().served), name, tuple(args))


def path(name: str, *args: object) -> str:
    """`reverse`, for the page in the language that is written at this moment."""
    return _path(get_script_prefix(), name, args)


def is_right_to_left(language: str) -> bool:
    """Whether the language is written from right to left."""
    return language.partition("-")[0] in settings.LANGUAGES_BIDI


def name_of(language: str) -> str:
    """What those who speak it call it; its code where Django does not know it."""
    return str(OWN_NAMES.get(language) or LANG_INFO.get(language, {}).get("name_local", language)).capitalize()


def declared(*, publication: Publication) -> str:
    """What `lang` says of what is written at this moment: the publication's own code where that is spoken."""
    spoken = translation.get_language() or settings.LANGUAGE_CODE
    pages = _pages.get()
    if pages and pages.language in pages.served and catalogue(pages.language) == spoken:
        return pages.language
    return publication.language if spoken == catalogue(publication.language) else spoken


@contextmanager
def read_by(publication: Callable[[], Publication]) -> Iterator[None]:
    """Until the block ends the publication comes from here, where no language is set: a request has read it once."""
    token = _publication.set(publication)
    try:
        yield
    finally:
        _publication.reset(token)


def _now() -> Pages:
    """Also where nobody said in which language something is written: in the publication's first one then."""
    if (pages := _pages.get()) is not None:
        return pages
    served = tuple(_publication.get()().languages)
    return Pages(served[0], served)


def _prefix(language: str, served: Sequence[str]) -> str:
    return f"/{language}/" if language in served[1:] else "/"


# A page has a dozen addresses, most of which are on many pages.
@functools.lru_cache(maxsize=8_192)
def _path(prefix: str, name: str, args: tuple[object, ...]) -> str:
    with _addresses_below(prefix):
        return reverse(name, args=args)


@contextmanager
def _addresses_below(prefix: str) -> Iterator[None]:
    before = get_script_prefix()
    set_script_prefix(prefix)
    try:
        yield
    finally:
        set_script_prefix(before)
