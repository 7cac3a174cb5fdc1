"""manage.py verify_evidence: is this file the proof of consent that was signed? It asks no server."""

from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import signed_json
from core.signed_json import Verdict
from subscribers.signed_evidence import KIND, MEMBER

SENTENCES: Final = {
    Verdict.CHANGED: "Changed: this file is not what was signed with the key {key}.",
    Verdict.REWRITTEN: (
        "Changed: the values are those that were signed with the key {key}, but spaces or line ends are not as they "
        "were written. Ask for the file as it was downloaded."
    ),
    Verdict.WRONG_KEY: "Wrong key: the file says that the key {key} signed it, and {source} has another.",
    Verdict.OTHER: "This is no signed proof of consent.",
}


class Command(BaseCommand):
    """Exit code 0 with a sentence when the file is valid, 1 with a sentence when it is not."""

    help = (
        "Says whether a file of `evidence --signed` is as it was signed. It needs neither database nor Redis nor "
        "network. Take the key from the site that signed (/evidence-keys.json) or from `evidence_keys`."
    )
    requires_system_checks: list[str] = []  # as Django has it

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--key", type=Path, required=True, metavar="PUBLIC", help="PEM, or a JSON Web Key or Set")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what the file is."""
        source: Path = options["key"]
        try:
            keys = signed_json.read_keys(_read(source).decode())
        except (signed_json.NotAKey, UnicodeDecodeError):
            raise CommandError(f"{source} holds no Ed25519 public key.") from None
        judgement = signed_json.judge(_read(options["file"]), member=MEMBER, kind=KIND, keys=keys)
        if judgement.verdict is not Verdict.VALID:
            raise CommandError(SENTENCES[judgement.verdict].format(key=judgement.key_id, source=source))
        proof = judgement.content
        self.stdout.write(
            f"Valid: {proof['issuer']['name']} ({proof['issuer']['site']}) signed this on {proof['issued_at']} with "
            f"the key {judgement.key_id}. It has {len(proof['events'])} acts of {proof['address']}."
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.") from None
