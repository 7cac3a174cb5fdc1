"""A mail server whose messages are appended to a file, each with the address to which it was delivered."""

from __future__ import annotations

import gzip

from tests.faults import smtp_script, smtp_server

# Its port is taken before the settings read where mail goes.
MAIL = smtp_server.Server(smtp_script.Script.read({}))
URL = f"smtp://127.0.0.1:{MAIL.port}"


def fetch(file: gzip.GzipFile) -> int:
    """Write what arrived since; return how many messages."""
    arrived = list(zip(MAIL.accepted, MAIL.messages, strict=True))
    MAIL.begin_again({})
    for one, message in arrived:
        file.write(b"\nFrom MAILER\nDelivered-To: %s\r\n%s" % (one.recipient.encode(), message))
    return len(arrived)
