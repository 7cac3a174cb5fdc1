"""manage.py evidence: the proof of one person's consent, also signed."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from mailkit import addresses
from subscribers import evidence, signed_evidence


class Command(BaseCommand):
    """Exit code 0 with JSON on standard output, 1 when nothing is recorded for this address."""

    help = (
        "Prints every recorded act of consent of one address as JSON, with the texts that were shown. The whole record "
        "is verified for it, as verify_consent does; what does not hold is in the JSON and on standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("address")
        parser.add_argument("--signed", action="store_true", help="as a file that verify_evidence checks anywhere")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the evidence."""
        asked = {"address": options["address"], "actor": None, "now": timezone.now(), "is_whole_walked": True}
        try:
            if options["signed"]:
                text = signed_evidence.of(**asked)
                proof = json.loads(text)[signed_evidence.MEMBER]
            else:
                proof = evidence.of(**asked)
                text = json.dumps(proof, indent=2, ensure_ascii=False)
        except addresses.InvalidAddress as error:
            raise CommandError(str(error)) from None
        self.stdout.write(text)
        for fault in proof["faults_of_the_record"]:
            self.stderr.write(fault)
        if not proof["events"]:
            raise CommandError("No consent is recorded for this address.")
