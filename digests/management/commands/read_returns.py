"""manage.py read_returns: process the mailbox that receives bounces and complaints."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import close_old_connections
from django.utils import timezone

from digests.feedback import mailbox
from postal import config


class Command(BaseCommand):
    """Exit code 0: the mailbox was read, or another process is reading it. 1: it could not be read, or none is set."""

    help = (
        "Read the mailbox of RETURNS_URL once: bounces and complaints become events, requests to unsubscribe are "
        "granted, and processed mails are deleted. The tick does this each minute; --watch does it more often."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--watch",
            type=int,
            nargs="?",
            const=15,
            metavar="SECONDS",
            help="go on until stopped, with this pause between two passes (default: 15)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.RETURNS is None:
            raise CommandError("Set RETURNS_URL to the mailbox to read, as in imaps://user:password@mail.example.org.")
        if options["watch"] is None:
            self._once(settings.RETURNS)
            return
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            self._once_in_a_loop(settings.RETURNS)
            stopped.wait(max(1, options["watch"]))

    def _once(self, account: config.Mailbox) -> None:
        try:
            result = mailbox.read(account=account, now=timezone.now())
        except mailbox.MailboxAway as error:
            raise CommandError(str(error)) from None
        self.stdout.write(_line(result))
        self.stdout.flush()

    def _once_in_a_loop(self, account: config.Mailbox) -> None:
        close_old_connections()
        try:
            self._once(account)
        except CommandError as error:
            self.stderr.write(str(error))


def _line(result: mailbox.Pass) -> str:
    if result.busy:
        return "Another process is reading the mailbox."
    return (
        f"{result.events} events, {result.left} unsubscribed, {result.replied} replies, {result.repeated} repeated, "
        f"{result.ignored} ignored."
    )
