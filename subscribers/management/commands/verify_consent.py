"""manage.py verify_consent: has anybody tampered with the proof?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from subscribers import consent_heads, verification


class Command(BaseCommand):
    """Exit code 0 when the record holds, 1 with every fault in a sentence when it does not."""

    help = (
        "Walks the whole record of consent: each link of the chain, the heads that were kept outside of the database, "
        "and the legal texts that it names. Prints the head, which may be kept elsewhere for --expect-head."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument(
            "--expect-head",
            action="append",
            default=[],
            metavar="[COUNT:]HASH",
            help="a head that was printed earlier and must still be in the record; may be repeated",
        )
        parser.add_argument(
            "--accept-loss",
            default="",
            metavar="WHY",
            help="keep the present head from now on, with the reason why events are gone, as a restored backup",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, say every fault, print the head."""
        if options["accept_loss"]:
            accepted = consent_heads.accept_loss(note=options["accept_loss"], now=timezone.now())
            self.stdout.write(f"Accepted: the record is asked for its first {accepted.count} events from now on.")
        report = verification.verify(expected=options["expect_head"])
        for remark in report.remarks:
            self.stdout.write(remark)
        if report.faults:
            raise CommandError("\n".join(report.faults))
        self.stdout.write(f"{report.count} consent events, the record is intact. Head: {report.count}:{report.head}")
