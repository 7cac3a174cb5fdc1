"""A real SMTP server on a loopback port that fails where its script says.

In a test::

    with smtp_server.running({"rules": [...]}) as server:
        ... server.port ... server.accepted ...

As a process, with a journal that survives the death of anybody::

    python -m tests.faults.smtp_server --port 2525 --journal accepted.jsonl --script script.json

Every accepted message is one JSON line in the journal, written before the client gets the reply.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.smtp_script import Script
from tests.faults.smtp_session import GONE, Ended, Session


@dataclass(frozen=True)
class Accepted:
    """A message for which the server took responsibility, whether or not it could say so."""

    sender: str
    recipient: str
    sha256: str
    message_id: str
    size: int
    accepted_at: float


class Server:
    """Listens from `start` to `stop`; one thread per connection."""

    def __init__(
        self,
        script: Script,
        *,
        port: int = 0,
        journal: Path | None = None,
        fsync: bool = False,
        certificate: Path | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self.script = script
        self.accepted: list[Accepted] = []
        self.messages: list[bytes] = []
        self.commands: list[str] = []
        # The commands of each session that is over.
        self.sessions: list[list[str]] = []
        self.connections = 0
        # Whom the deed `kill` kills.
        self.victim: int | None = None
        self.implicit_tls = implicit_tls
        self.tls: ssl.SSLContext | None = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self._fsync = fsync
        self._journal = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if journal else None
        self._lock = threading.Lock()
        self._room = threading.Condition()
        self._places: float = float("inf")
        self._taken = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def copies(self) -> Counter[str]:
        """How many copies each recipient has."""
        with self._lock:
            return Counter(one.recipient for one in self.accepted)

    def begin_again(self, script: Mapping[str, Any]) -> None:
        """Forget what was accepted, and follow another script."""
        with self._lock:
            self.script = Script.read(script)
            self.accepted, self.messages, self.commands = [], [], []
            self.victim = None
            self._taken, self._places = 0, float("inf")

    def make_room(self, copies: float) -> None:
        """Take this many copies in all; a further one waits after the final dot until there is more room."""
        with self._room:
            self._places = copies
            self._room.notify_all()

    def await_room(self) -> None:
        """Return when there is a place for one more copy, which is taken then."""
        with self._room:
            self._room.wait_for(lambda: self._taken < self._places)
            self._taken += 1

    def start(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.make_room(float("inf"))
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def record(self, sender: str, recipients: list[str], message: bytes) -> None:
        """Accept the message: from here on it counts, whatever the client hears."""
        match = re.search(rb"^Message-ID:\s*(\S+)", message, re.IGNORECASE | re.MULTILINE)
        message_id = match[1].decode("ascii", "replace") if match else ""
        digest = hashlib.sha256(message).hexdigest()
        with self._lock:
            for recipient in recipients:
                one = Accepted(sender, recipient, digest, message_id, len(message), time.time())
                self.accepted.append(one)
                self.messages.append(message)
                if self._journal is not None:
                    os.write(self._journal, json.dumps(asdict(one)).encode() + b"\n")
            if self._journal is not None and self._fsync:
                os.fsync(self._journal)

    def _listen(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(sock)
        session = Session(self, sock)
        with contextlib.suppress(Ended, *GONE):
            session.run()
        with self._lock:
            self._open.discard(sock)
            self.sessions.append(session.verbs)
        with contextlib.suppress(OSError):
            session.sock.close()


@contextlib.contextmanager
def running(script: Mapping[str, Any] | None = None, **options: Any) -> Iterator[Server]:
    """A server in threads of this process, for a test. Options as for `Server`."""
    server = Server(Script.read(script or {}), **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="A real SMTP server that fails where its script says.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one, which is printed")
    parser.add_argument("--journal", type=Path, help="file that gets one JSON line per accepted copy")
    parser.add_argument("--fsync", action="store_true", help="force each line to the disk before the answer")
    parser.add_argument("--script", default="{}", help="JSON, or the name of a file that holds it")
    given = parser.parse_args()
    source = given.script if given.script.lstrip().startswith("{") else Path(given.script).read_text("utf-8")
    server = Server(Script.read(source), port=given.port, journal=given.journal, fsync=given.fsync)
    server.start()
    print(f"listening on 127.0.0.1:{server.port}", flush=True)  # noqa: T201  # callers read the port from here
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    server.stop()


if __name__ == "__main__":
    main()
