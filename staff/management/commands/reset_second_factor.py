"""manage.py reset_second_factor NAME: lets in somebody who lost all keys, when no colleague can do it."""

from typing import Any

from allauth.account.internal.userkit import filter_users_by_email, get_user_by_username
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from staff import team


class Command(BaseCommand):
    """Removes passkeys, app and recovery codes of one person, with an entry in the audit log."""

    help = (
        "Removes the passkeys, authenticator app and recovery codes of one person and ends their sessions. They sign "
        "in with the password alone and set up new ones. Make sure first who is asking."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose."""
        parser.add_argument("name", help="the name or mail address with which the person signs in")

    def handle(self, *_args: Any, **options: Any) -> None:
        """On failure: CommandError for an unknown name."""
        name = options["name"]
        person = get_user_by_username(name) or next(iter(filter_users_by_email(name)), None)
        if person is None:
            raise CommandError(f"Nobody signs in as {name}.")
        team.reset_second_factor(person=person, actor=None, now=timezone.now())
        self.stdout.write(f"{name} signs in with the password alone now, and sets up a new second factor.")
