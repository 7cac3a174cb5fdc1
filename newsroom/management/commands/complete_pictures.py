"""`manage.py complete_pictures`: make at once what workers make a few pictures at a time."""

from typing import Any

from django.core.management.base import BaseCommand

from articles import images

AT_ONCE = 50


class Command(BaseCommand):
    help = "Make AVIF and the parts for search engines of all pictures that have none, the newest first."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """May be interrupted, and run beside the workers."""
        count = 0
        while numbers := images.incomplete(most=AT_ONCE):
            count += sum(images.complete(pk=pk) for pk in numbers)
        self.stdout.write("1 picture was completed." if count == 1 else f"{count} pictures were completed.")
