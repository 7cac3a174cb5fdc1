"""manage.py erase: the right to be forgotten."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, erasure

BUSY = "The database is busy: an issue for this reader may be about to be sent. Try again in a minute."


class Command(BaseCommand):
    """Exit code 0 when the person is gone, also when they were not here; 1 for no address, or if it must wait."""

    help = (
        "Deletes a person: subscriber, subscriptions, letters, network addresses. What stays is the keyed hash "
        "that keeps them from being mailed or imported again, and their acts of consent under that hash."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Erase, and say what was there."""
        try:
            address = addresses.normalise(options["address"])
        except addresses.InvalidAddress as error:
            raise CommandError(str(error)) from None
        evidence = consent.Evidence(source="erase_command")
        try:
            done = erasure.erase(address_key=address.key, evidence=evidence, actor=None, now=timezone.now())
        except OperationalError:
            raise CommandError(BUSY) from None
        what = "Erased." if done.deleted else "There was no subscriber with this address."
        self.stdout.write(f"{what} {done.acts_kept} acts of consent stay under the keyed hash; mail to it is blocked.")
