"""What readers of further languages get untranslated, or in words that are older than the original's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from digests.freezing import Prepared
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
    for one in prepared.variants:
        stories = one.content.stories
        count, values = one.readers, _values(one)
        if missing := [story.headline for story in stories if story.language != one.language]:
            text = ngettext(
                "Not translated, for %(readers)s reader of %(language)s: %(stories)s.",
                "Not translated, for %(readers)s readers of %(language)s: %(stories)s.",
                count,
            )
            yield finding("translation_missing", text, stories=_listed(missing), **values)
        if stale := [story.headline for story in stories if story.language == one.language and story.is_stale]:
            text = ngettext(
                "The original was changed since the translation, for %(readers)s reader of %(language)s: %(stories)s.",
                "The original was changed since the translation, for %(readers)s readers of %(language)s: %(stories)s.",
                count,
            )
            yield finding("translation_stale", text, stories=_listed(stale), **values)
        if one.content.untranslated:
            text = ngettext(
                "Not written in %(language)s, so its %(readers)s reader sees yours: %(fields)s.",
                "Not written in %(language)s, so its %(readers)s readers see yours: %(fields)s.",
                count,
            )
            fields = ", ".join(str(FIELDS[name]) for name in one.content.untranslated)
            yield finding("words_untranslated", text, fields=fields, **values)


def _values(one: Prepared) -> dict[str, str]:
    return {"readers": formatting.number(one.readers), "language": languages.name_of(one.language)}


def _listed(headlines: list[str]) -> str:
    return ", ".join(_("“%(story)s”") % {"story": headline} for headline in headlines)
