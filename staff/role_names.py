"""The roles of the team, in words; each is a group of the same name."""

from collections.abc import Mapping
from typing import Final

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from publication import groups


class Role(TextChoices):
    """What somebody is on the team. A published code never changes."""

    AUTHOR = groups.AUTHOR, _("Author")
    EDITOR = groups.EDITOR, _("Editor")
    PUBLISHER = groups.PUBLISHER, _("Publisher")
    ADMINISTRATOR = groups.ADMINISTRATOR, _("Administrator")


SENTENCES: Final[Mapping[Role, Promise]] = {
    Role.AUTHOR: _("Writes stories and hands them in. Sees own stories only."),
    Role.EDITOR: _("Writes and edits all stories, and composes issues. Publishes and sends nothing."),
    Role.PUBLISHER: _(
        "Edits and publishes stories, sends issues, answers readers, changes newsletters and legal texts, and invites "
        "authors, editors and publishers."
    ),
    Role.ADMINISTRATOR: _("May do everything, also invite administrators and see the rows behind the pages."),
}


def choices() -> list[tuple[str, str]]:
    """Codes with their words; a function, so that a word needs no migration."""
    return [(role.value, str(role.label)) for role in Role]


def explained() -> list[tuple[str, str]]:
    """Codes with a sentence each that says what the role may do."""
    return [(role.value, f"{role.label}. {SENTENCES[role]}") for role in Role]
