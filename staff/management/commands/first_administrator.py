"""manage.py first_administrator ADDRESS: how the first person comes onto the desk of a new site."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailkit import addresses
from staff import invitations, links, roles


class Command(BaseCommand):
    """Prints a link; nothing is mailed, and no password is ever on a command line or in a log."""

    help = (
        "Prints a link on which the first administrator of this site chooses a name, a password and a second factor. "
        "It works once, for an hour, and not at all once there is an administrator."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose account it will be."""
        parser.add_argument("address", help="the mail address of the administrator")

    def handle(self, *_args: Any, **options: Any) -> None:
        """The link on standard output. On failure: CommandError, when there is an administrator."""
        try:
            address = addresses.normalise(options["address"]).address
            invitation = invitations.invite_first(address=address, now=timezone.now())
        except (addresses.InvalidAddress, roles.NotAllowed) as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write("Open this within an hour; it works once:")
        self.stdout.write(links.join(invitation))
