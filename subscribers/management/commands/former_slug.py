"""manage.py former_slug: a newsletter had another slug, and its readers are still its readers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from subscribers import unproved
from subscribers.models import Newsletter


class Command(BaseCommand):
    """Exit code 0 with the number of readers who are mailed again, 1 with a sentence when the slug is no former one."""

    help = (
        "Says that a newsletter once had another slug. Consent names a newsletter by its slug, so readers who "
        "consented before it was renamed are not mailed until this is said; verify_consent names the slug. The record "
        "itself stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("newsletter", metavar="SLUG", help="the slug of today")
        parser.add_argument("former", metavar="FORMER", help="the slug that the consent names")

    def handle(self, *args: Any, **options: Any) -> None:
        """Note the former slug."""
        newsletter = Newsletter.objects.filter(slug=options["newsletter"]).first()
        if newsletter is None:
            raise CommandError("There is no newsletter with that slug.")
        try:
            readers = unproved.was_called(newsletter=newsletter, slug=options["former"])
        except unproved.NotFormer as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"“{newsletter}” was called {options['former']}: {readers} more readers can be mailed.")
