"""manage.py evidence_keys: the public keys by which signed proofs of consent are checked."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from core import signed_json
from subscribers import signed_evidence


class Command(BaseCommand):
    """Prints the keys, the one that signs now first."""

    help = "Prints the public keys of signed proofs of consent, as they are at /evidence-keys.json, for others to keep."
    requires_system_checks: list[str] = []  # as Django has it

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("--json", action="store_true", help="as a JSON Web Key Set instead of PEM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print them."""
        keys = signed_evidence.public_keys()
        if options["json"]:
            self.stdout.write(json.dumps({"keys": [signed_json.jwk(key) for key in keys.values()]}, indent=2))
            return
        for name, key in keys.items():
            self.stdout.write(f"{name}\n{signed_json.pem(key)}")
