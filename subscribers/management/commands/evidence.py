"""manage.py evidence: the proof of one person's consent."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailkit import addresses
from subscribers import evidence


class Command(BaseCommand):
    """Exit code 0 with JSON on standard output, 1 when nothing is recorded for this address."""

    help = (
        "Prints every recorded act of consent of one address as JSON, with the texts that were shown. The whole record "
        "is verified for it, as verify_consent does; what does not hold is in the JSON and on standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("address")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the evidence."""
        try:
            proof = evidence.of(address=options["address"], actor=None, now=timezone.now(), is_whole_walked=True)
        except addresses.InvalidAddress as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(proof, indent=2, ensure_ascii=False))
        for fault in proof["faults_of_the_record"]:
            self.stderr.write(fault)
        if not proof["events"]:
            raise CommandError("No consent is recorded for this address.")
