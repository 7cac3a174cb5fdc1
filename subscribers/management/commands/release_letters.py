"""manage.py release_letters: ask imported readers for their permission, at a rate."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from subscribers.letters import queue
from subscribers.models import Newsletter


class Command(BaseCommand):
    """Exit code 0, also when nothing was released; 1 for a newsletter or a rate that cannot be."""

    help = (
        "Says how many imported readers of a newsletter wait for the letter that asks for their permission, and how "
        "long sending them would take. With --yes they leave, evenly spread."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("newsletter", metavar="SLUG")
        parser.add_argument(
            "--per-hour", type=int, default=queue.USUAL, metavar="N", help=f"letters an hour ({queue.USUAL})"
        )
        parser.add_argument("--yes", action="store_true", help="release them")

    def handle(self, *args: Any, **options: Any) -> None:
        """Count, say, and release if asked to."""
        newsletter = Newsletter.objects.filter(slug=options["newsletter"]).first()
        if newsletter is None:
            raise CommandError("There is no newsletter with that slug.")
        rate, now = options["per_hour"], timezone.now()
        try:
            if options["yes"]:
                planned = queue.release(newsletter=newsletter, per_hour=rate, actor=None, now=now)
            else:
                planned = queue.schedule(newsletter=newsletter, per_hour=rate, now=now)
        except queue.BadRate as fault:
            raise CommandError(str(fault)) from fault
        verb = "get" if options["yes"] else "would get"
        self.stdout.write(
            f"{planned.count} readers of {newsletter.name} {verb} a letter that asks for their permission."
        )
        if planned.count:
            first, last = (f"{moment:%Y-%m-%d %H:%M} UTC" for moment in (planned.first_at, planned.last_at))
            self.stdout.write(f"{rate} leave in an hour, the first at {first} and the last at {last}.")
        if planned.count and not options["yes"]:
            self.stdout.write("Add --yes to release them.")
