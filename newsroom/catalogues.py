"""The available languages: English, and one for each folder of catalogues."""

from pathlib import Path

from django.conf.locale import LANG_INFO


def languages(folder: Path) -> list[tuple[str, str]]:
    """(code, name in that language), as Django's LANGUAGES wants them; English first."""
    codes = ["en", *(path.parent.parent.name for path in sorted(folder.glob("*/LC_MESSAGES/django.mo")))]
    return [(code, _name(code)) for code in (code.replace("_", "-").lower() for code in codes)]


def _name(code: str) -> str:
    known = LANG_INFO.get(code, {})
    name: str = known.get("name_local", code)
    return name[:1].upper() + name[1:]
