"""manage.py verify_audit: has anybody tampered with the audit log?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import hash_chain
from staff import audit, audit_heads


class Command(BaseCommand):
    """Exit code 0 when the log holds, 1 with the first entry that does not and every head that is missing."""

    help = (
        "Walks the whole audit log, link by link, and compares it with the heads that the clock kept outside of the "
        "database. Prints the head."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, say every fault, print the head."""
        count, head, faults = 0, hash_chain.GENESIS, []
        try:
            for event in audit.links():
                count, head = count + 1, event.hash
        except audit.ChainBroken as broken:
            faults.append(f"Broken at entry {broken.event_id} of the audit log: {broken}.")
        faults += audit_heads.faults()
        if faults:
            raise CommandError("\n".join(faults))
        self.stdout.write(f"{count} entries, the audit log is intact. Head: {head}")
