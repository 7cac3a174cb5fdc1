"""`bin/messages`: brings the catalogues up to date with the sentences, and compiles them.

`bin/messages de` adds a language. What is left to translate is listed by its number; docs/languages.md.
"""

import sys

from newsroom.translations import catalogue, sentences


def main(arguments: list[str]) -> int:
    """0 if every catalogue is written; 1, with a sentence, for a language that does not exist."""
    known = list(sentences.everything())
    for language in [*catalogue.languages(), *arguments]:
        try:
            updated = catalogue.updated(catalogue.read(language), known)
        except catalogue.NoSuchLanguage as refusal:
            print(refusal, file=sys.stderr)  # noqa: T201  # a command says what it does
            return 1
        catalogue.save(updated, language=language)
        readers, all_ = (len(catalogue.missing(updated, readers_only=only)) for only in (True, False))
        print(f"{language}: {len(updated)} sentences; left to translate: {readers} of readers, {all_} in all")  # noqa: T201  # as above
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
