"""Every sentence can be translated, and the catalogues hold them all."""

import re

import polib
import pytest

from newsroom.tests import unwrapped
from newsroom.translations import catalogue, sentences

# Text that operators and developers read in a terminal, a log or a check is English (decision 14). So are the words
# of servers, which are stored as they came.
ENGLISH = re.compile(
    r"newsroom/(?!(admin|admin_site|languages|middleware)\.py|desk/|templatetags/)|\w+/management/|core/(?!pictures\.py)|postal/|digests/sending/"
    r"|digests/(feedback/.*|clock_repair|restored)\.py"
    r"|mailkit/(checks|sandbox|headers|message|mjml|segments|tokens)\.py|publication/(database_clock|groups|media)\.py"
    r"|staff/(audit|audit_heads)\.py|subscribers/(consent|evidence|consent_heads|imports|import_\w+|unproved|verification)\.py"
)

BARE_TEMPLATES = (
    "<p>Read on</p>",
    '<img alt="A picture of us">',
    "{% if more %}{{ number }} stories{% endif %}",
    "{{ number|pluralize }}",
    '{{ day|date:"j F Y" }}',
    '{{ name|default:"nobody yet" }}',
    '{% include "head.mjml" with title="Please confirm" %}',
    "{% blocktranslate %}Read{% endblocktranslate %} on",
)
WRAPPED_TEMPLATES = (
    '<p class="hint">{% translate "Read on" %}</p>',
    "{% blocktranslate with name=newsletter.name trimmed %}Leave {{ name }}{% endblocktranslate %}",
    "{% comment %}Needs a form.{% endcomment %}<style>a { color: red; }</style>&nbsp;&middot; RSS 2026",
    '<a href="%%unsubscribe_url%%" title="{{ name }}">{{ name }}</a>',
)
BARE_MODULES = (
    'field = CharField(help_text="Say what it shows.")',
    'raise Refused("Choose a day.")',
    'raise Refused(f"{name} is not public.")',
    'messages.error(request, "It failed")',
    'class State(models.TextChoices):\n    SENT = "sent", "Sent"',
    'raise Refused(_(f"{name} is not public."))',
    'fieldsets = ("x", {"description": "Shown at the foot."})',
    'class Meta:\n    verbose_name = "story"',
    'BUSY = "Somebody is changing this issue."',
    'def why():\n    return "Nothing was published since."',
    'context = {"title": "Compose a digest"}',
    'form.add_error(None, "Sent" if sent else later)',
    'limits = [f"At most {batch} copies are in flight."]',
    'limits.append("Copies leave by day only.")',
    'yield Diagnosis(f"Nothing has moved for {quiet}.", ADVICE)',
    'def refuse():\n    return Refused("Nothing was published since.")',
    'error = {"slug": "Another newsletter had this slug."}',
    'super().__init__("This link is too old." if expired else other)',
    'actions = [link("Preview", url)]',
)
WRAPPED_MODULES = (
    'field = CharField(help_text=_("Say what it shows."))',
    'raise Refused(_("%(name)s is not public.") % {"name": name})',
    'log.error("no sentence for people")',
    'raise KeyError("no such name")',
    'raise Http404("There is no such part.")',
    '"""This module says what it does."""',
    'log.warning("Redis is away: %s was not stored.", name)',
    'limits = [_("At most %(batch)s copies are in flight.") % {"batch": batch}]',
    'class State(models.TextChoices):\n    SENT = "sent", _("Sent")',
)


def test_the_search_sees_what_cannot_be_translated() -> None:
    assert [source for source in BARE_TEMPLATES if not unwrapped.in_template(source)] == []
    assert [source for source in WRAPPED_TEMPLATES if unwrapped.in_template(source)] == []
    assert [source for source in BARE_MODULES if not unwrapped.in_module(source)] == []
    assert [source for source in WRAPPED_MODULES if unwrapped.in_module(source)] == []


def test_no_sentence_is_out_of_a_catalogues_reach() -> None:
    bare = [
        f"{path.relative_to(sentences.ROOT)}: {text}"
        for paths, search in (
            (sentences.templates(), unwrapped.in_template),
            (sentences.modules(), unwrapped.in_module),
        )
        for path in paths
        if not ENGLISH.match(path.relative_to(sentences.ROOT).as_posix())
        for text in search(path.read_text(encoding="utf-8"))
    ]
    assert not bare, "Pass these to gettext, or to {% translate %} in a template:\n" + "\n".join(bare)


def test_placeholders_that_differ_are_seen() -> None:
    same = polib.POEntry(msgid="%(name)s has %(count)s", msgstr="%(count)s: %(name)s")
    lost = polib.POEntry(msgid="%(name)s has %(count)s", msgstr="%(name)s")
    assert (catalogue.faults(same), len(catalogue.faults(lost))) == ([], 1)


def test_the_files_of_the_readers_exist() -> None:
    """One that was renamed would no longer be asked for its translations."""
    assert [file for file in catalogue.READERS_MODULES if not (sentences.ROOT / file).is_file()] == []


@pytest.mark.parametrize("language", catalogue.languages())
def test_a_catalogue_is_complete(language: str) -> None:
    """It holds the sentences of the source, readers find nothing untranslated, and it is compiled."""
    entries = catalogue.read(language)
    current = catalogue.updated(entries, list(sentences.everything()))
    assert {_key(entry) for entry in entries} == {_key(entry) for entry in current}, "run bin/messages"
    assert [entry.msgid for entry in catalogue.missing(entries, readers_only=True)] == []
    assert [fault for entry in entries for fault in catalogue.faults(entry)] == []
    assert not entries.obsolete_entries()
    compiled = catalogue.path_of(language).with_suffix(".mo").read_bytes()
    assert compiled == entries.to_binary(), "run bin/messages"


def test_a_new_language_has_every_sentence_and_counts_as_it_does() -> None:
    known = list(sentences.everything())
    polish = catalogue.updated(catalogue.read("pl"), known)
    counted = next(entry for entry in polish if entry.msgid == "%(number)s story")
    assert list(counted.msgstr_plural) == [0, 1, 2, 3]
    assert len(polish) == len(catalogue.missing(polish, readers_only=False)) > 0
    with pytest.raises(catalogue.NoSuchLanguage, match="no language “xx”"):
        catalogue.read("xx")


def _key(entry: polib.POEntry) -> tuple[str | None, str, str, bool]:
    return (
        entry.msgctxt,
        entry.msgid,
        entry.msgid_plural,
        catalogue.is_for_readers(file for file, _ in entry.occurrences),
    )
