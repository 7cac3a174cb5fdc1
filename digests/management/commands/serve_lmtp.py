"""manage.py serve_lmtp: take returned mail from a mail server by LMTP."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from digests.feedback import lmtp


class Command(BaseCommand):
    """Exit code 0: stopped by SIGTERM or Ctrl-C; 1: it could not listen, or RETURN_DOMAIN is not set."""

    help = (
        "Listen for LMTP (RFC 2033) and act on the bounces, complaints and requests to leave that a mail server "
        "hands over for RETURN_DOMAIN. A mail is accepted only after its event is committed. docs/returns.md "
        "shows the mail server's side."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--listen",
            default="127.0.0.1:2424",
            metavar="HOST:PORT|/PATH",
            help="where to listen: a port, or a Unix socket (default: 127.0.0.1:2424)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.RETURN_DOMAIN:
            raise CommandError("Set RETURN_DOMAIN to the domain of the return paths first.")
        try:
            server = lmtp.server(options["listen"])
        except (OSError, ValueError, OverflowError) as error:
            raise CommandError(f"{options['listen']} is no address to listen on ({error}).") from None
        # `shutdown` waits for the loop, so another thread has to call it.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        self.stdout.write(f"Taking returned mail on {options['listen']}")
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")
        finally:
            server.server_close()
