"""What readers of further languages get untranslated, or in words that are older than the original's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from digests.freezing import Prepared
from digests.issue_content import Unworded
from digests.preflight.findings import Finding, finding
from publication import formatting, languages

# What an editor writes of an issue, as other findings name it.
FIELDS: Final = {
    "subject": gettext_lazy("Subject"),
    "preheader": gettext_lazy("Preheader"),
    "introduction": gettext_lazy("Introduction"),
    "sponsor": gettext_lazy("Sponsor"),
}


def check(*, prepared: Prepared) -> Iterator[Finding]:
    """For each language of readers: the stories that are not in it or stale, and the issue's own words."""
    for one in prepared.languages:
        stories = one.content.stories
        count, values = one.readers, _values(one)
        if missing := [story.headline for story in stories if story.language != one.key.language]:
            text = ngettext(
                "Not translated, for %(readers)s reader of %(language)s: %(stories)s.",
                "Not translated, for %(readers)s readers of %(language)s: %(stories)s.",
                count,
            )
            yield finding("translation_missing", text, stories=_listed(missing), **values)
        if stale := [story.headline for story in stories if story.language == one.key.language and story.is_stale]:
            text = ngettext(
                "The original was changed since the translation, for %(readers)s reader of %(language)s: %(stories)s.",
                "The original was changed since the translation, for %(readers)s readers of %(language)s: %(stories)s.",
                count,
            )
            yield finding("translation_stale", text, stories=_listed(stale), **values)
        if one.content.untranslated or _seen_as_they_are(one):
            text = ngettext(
                "Not written in %(language)s, so its %(readers)s reader sees yours: %(fields)s.",
                "Not written in %(language)s, so its %(readers)s readers see yours: %(fields)s.",
                count,
            )
            fields = [*(str(FIELDS[name]) for name in one.content.untranslated), *_seen_as_they_are(one)]
            yield finding("words_untranslated", text, fields=", ".join(fields), **values)
        if given_way := [_named(words) for words in one.content.unworded if words.is_translated]:
            text = ngettext(
                "Not written in %(language)s, so its %(readers)s reader sees the translated story's own: %(fields)s.",
                "Not written in %(language)s, so its %(readers)s readers see the translated story's own: %(fields)s.",
                count,
            )
            yield finding("words_untranslated", text, fields=", ".join(given_way), **values)


def _seen_as_they_are(one: Prepared) -> list[str]:
    return [_named(words) for words in one.content.unworded if not words.is_translated]


def _named(words: Unworded) -> str:
    named = _("headline of “%(story)s”") if words.field == "headline" else _("summary of “%(story)s”")
    return named % {"story": words.story}


def _values(one: Prepared) -> dict[str, str]:
    return {"readers": formatting.number(one.readers), "language": languages.name_of(one.key.language)}


def _listed(headlines: list[str]) -> str:
    return ", ".join(_("“%(story)s”") % {"story": headline} for headline in headlines)
