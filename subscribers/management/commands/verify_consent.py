"""manage.py verify_consent: has anybody tampered with the proof?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from subscribers import consent


class Command(BaseCommand):
    """Exit code 0 when the chain holds, 1 with its first broken link when it does not."""

    help = "Walks the whole chain of consent events and checks each link."

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, and print the head so that a copy kept elsewhere can prove that nothing was cut off."""
        broken = consent.verify()
        if broken is not None:
            raise CommandError(f"Broken at consent event {broken.event_id}: {broken.reason}.")
        count, head = consent.head()
        self.stdout.write(f"{count} consent events, the chain is intact. Head: {head}")
