"""Which language a page, a letter or a digest speaks: docs/decisions/0014-language-comes-from-the-address.md.

The sentences are in the catalogues of `locale/`; English is what the source says. A language without a
catalogue of ours is declared on the page and spoken in English.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.urls import get_script_prefix, set_script_prefix
from django.utils import translation

from publication.models import Publication


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
    return f"/{language}/" if language in publication.languages[1:] else "/"


@contextmanager
def override(language: str, *, publication: Publication | None = None) -> Iterator[None]:
    """Sentences, dates and the addresses of pages are in this language until the block ends.

    Empty: in the publication's own. Whatever the thread spoke before, it speaks again afterwards.
    """
    publication = publication or Publication.objects.current()
    language = language or publication.language
    before = get_script_prefix()
    with translation.override(catalogue(language)):
        set_script_prefix(prefix(language=language, publication=publication))
        try:
            yield
        finally:
            set_script_prefix(before)


def declared(*, publication: Publication) -> str:
    """What `lang` says of what is written at this moment: the publication's own code where that is spoken."""
    spoken = translation.get_language() or settings.LANGUAGE_CODE
    return publication.language if spoken == catalogue(publication.language) else spoken
