"""manage.py evidence: the proof of one person's consent."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailkit import addresses
from subscribers import consent


class Command(BaseCommand):
    """Exit code 0 with JSON on standard output, 1 when nothing is recorded for this address."""

    help = "Prints every recorded act of consent of one address, with the texts that were shown, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the evidence."""
        try:
            found = consent.evidence(options["address"])
        except addresses.InvalidAddress as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))
        if not found["events"]:
            raise CommandError("No consent is recorded for this address.")
