"""manage.py demo: loads the demonstration publication."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from newsroom.demonstration import load


class Command(BaseCommand):
    """Loads the demonstration once; says so and changes nothing when there is something already."""

    help = "Loads the demonstration publication, Block News International, into an empty database."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Exit code 0 in both cases, so that every start may call it."""
        try:
            loaded = load.load(now=timezone.now())
        except load.NotEmptyError as error:
            self.stdout.write(str(error))
        else:
            self.stdout.write(
                f"Loaded Block News International: {loaded.stories} stories, {loaded.newsletters} newsletters."
            )
