"""A real SMTP server on a loopback port that fails where it is told to.

In a test::

    with smtp_server.running({"rules": [...]}) as server:
        ... server.port ... server.accepted ...

As a process, with a journal that survives the death of anybody::

    python -m tests.faults.smtp_server --port 2525 --journal accepted.jsonl --script script.json

Every accepted message is one JSON line in the journal, written before the client is told.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.smtp_script import Rule, Script

_GONE = (OSError, EOFError)


class Ended(Exception):
    """The session is over by a rule."""


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

    def begin_anew(self, script: Mapping[str, Any]) -> None:
        """Forget what was accepted, and follow another script."""
        with self._lock:
            self.script = Script.read(script)
            self.accepted, self.messages, self.commands = [], [], []
            self.victim = None
            self._taken, self._places = 0, float("inf")

    def make_room(self, copies: float) -> None:
        """Take so many copies in all; whoever brings more waits after the final dot until there is more room."""
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
        found = re.search(rb"^Message-ID:\s*(\S+)", message, re.IGNORECASE | re.MULTILINE)
        message_id = found[1].decode("ascii", "replace") if found else ""
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
        session = _Session(self, sock)
        with contextlib.suppress(Ended, *_GONE):
            session.run()
        with self._lock:
            self._open.discard(sock)
        with contextlib.suppress(OSError):
            session.sock.close()


class _Session:
    """One connection."""

    def __init__(self, server: Server, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.buffer = b""
        self.pending = b""
        self.sender: str | None = None
        self.recipients: list[str] = []

    def run(self) -> None:
        if self.server.implicit_tls and self.server.tls:
            self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
        if not self.at("CONNECT"):
            self.say("220 sink ESMTP")
        while True:
            line = self.read_line()
            verb = line[:4].upper()
            self.server.commands.append(line)
            handler = getattr(self, f"do_{verb.lower()}", None)
            if handler is None:
                self.say("500 5.5.2 Unknown command")
            else:
                handler(line)

    def do_ehlo(self, line: str) -> None:
        if self.at("EHLO"):
            return
        script = self.server.script
        lines = ["sink", *script.announce]
        lines += ["PIPELINING"] if script.pipelining else []
        lines += [f"SIZE {script.size}"] if script.size else []
        lines += [f"AUTH {script.mechanisms}"] if script.auth else []
        can_encrypt = self.server.tls is not None and not isinstance(self.sock, ssl.SSLSocket)
        lines += ["STARTTLS"] if can_encrypt else []
        for name in lines[:-1]:
            self.say(f"250-{name}")
        self.say(f"250 {lines[-1]}")

    def do_helo(self, line: str) -> None:
        self.say("250 sink")

    def do_star(self, line: str) -> None:
        if self.server.tls is None:
            self.say("502 5.5.1 Not here")
        elif not self.at("STARTTLS"):
            self.say("220 2.0.0 Go ahead")
            self.flush()
            self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)

    def do_auth(self, line: str) -> None:
        if self.at("AUTH"):
            return
        _, mechanism, *initial = line.split()
        if mechanism.upper() == "PLAIN":
            user, password = base64.b64decode(initial[0]).decode().split("\0")[1:]
        else:
            user, password = self.ask("VXNlcm5hbWU6"), self.ask("UGFzc3dvcmQ6")
        good = self.server.script.auth.get(user) == password
        self.say("235 2.7.0 Welcome" if good else "535 5.7.8 Credentials invalid")

    def ask(self, challenge: str) -> str:
        self.say(f"334 {challenge}")
        return base64.b64decode(self.read_line()).decode()

    def do_mail(self, line: str) -> None:
        sender = _path(line)
        size = re.search(r"SIZE=(\d+)", line, re.IGNORECASE)
        limit = self.server.script.size
        if self.at("MAIL", sender):
            return
        if self.sender is not None:
            self.say("503 5.5.1 Nested MAIL")
        elif limit and size and int(size[1]) > limit:
            self.say("552 5.3.4 Message too big")
        else:
            self.sender, self.recipients = sender, []
            self.say("250 2.1.0 Ok")

    def do_rcpt(self, line: str) -> None:
        recipient = _path(line)
        if self.sender is None:
            self.say("503 5.5.1 MAIL first")
        elif not self.at("RCPT", recipient):
            self.recipients.append(recipient)
            self.say("250 2.1.5 Ok")

    def do_data(self, line: str) -> None:
        if not self.recipients:
            self.say("554 5.5.1 No valid recipients")
            return
        recipient = self.recipients[0]
        if self.at("DATA", recipient):
            return
        self.say("354 Go ahead")
        message = self.read_message(recipient)
        sender, self.sender = self.sender, None
        if self.at("DOT", recipient):
            return
        self.server.await_room()
        self.server.record(sender or "", self.recipients, message)
        if not self.at("ACCEPTED", recipient):
            self.say(f"250 2.0.0 Ok: queued as {len(self.server.accepted):08X}")
            self.at("TOLD", recipient)

    def do_rset(self, line: str) -> None:
        self.sender, self.recipients = None, []
        self.say("250 2.0.0 Ok")

    def do_quit(self, line: str) -> None:
        self.say("221 2.0.0 Bye")
        self.flush()
        raise Ended

    def at(self, moment: str, subject: str = "") -> bool:
        """Carry out the rule for this moment; True when the usual answer is not to be given."""
        rule = self.server.script.rule(moment, subject)
        if rule is None:
            return False
        return _DEEDS[rule.do](self, rule)

    def deed_reply(self, rule: Rule) -> bool:
        self.say(rule.reply)
        if rule.reply.startswith("421"):
            self.deed_close(rule)
        return True

    def deed_kill(self, rule: Rule) -> bool:
        self.flush()
        if self.server.victim is not None:
            os.kill(self.server.victim, signal.SIGKILL)
        raise Ended

    def deed_delay(self, rule: Rule) -> bool:
        self.flush()
        time.sleep(rule.seconds)
        return False

    def deed_close(self, rule: Rule) -> bool:
        self.flush()
        # Read what is on its way, so that the close is a FIN and not a reset.
        self.sock.settimeout(0.05)
        with contextlib.suppress(*_GONE):
            for _ in range(4):
                if not self.sock.recv(65536):
                    break
        raise Ended

    def deed_rst(self, rule: Rule) -> bool:
        self.flush()
        time.sleep(0.02)  # the client may read what was said; a reset does not recall it
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        raise Ended

    def deed_half_close(self, rule: Rule) -> bool:
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)
        return self.deed_silence(rule)

    def deed_silence(self, rule: Rule) -> bool:
        self.flush()
        while self.sock.recv(65536):
            pass
        raise Ended

    def say(self, line: str) -> None:
        self.pending += f"{line}\r\n".encode()

    def flush(self) -> None:
        if self.pending:
            pending, self.pending = self.pending, b""
            self.sock.sendall(pending)

    def more(self) -> None:
        """Read on. What is to be said is said first, as one piece."""
        self.flush()
        data = self.sock.recv(262144)
        if not data:
            raise EOFError
        self.buffer += data

    def read_line(self) -> str:
        while b"\r\n" not in self.buffer:
            self.more()
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def read_message(self, recipient: str) -> bytes:
        """The message without its dots, strictly: only CRLF.CRLF ends it."""
        self.flush()
        while not self.buffer:
            self.more()
        self.at("BODY", recipient)
        if self.buffer.startswith(b".\r\n"):
            self.buffer = self.buffer[3:]
            return b""
        while b"\r\n.\r\n" not in self.buffer:
            self.more()
        message, _, self.buffer = self.buffer.partition(b"\r\n.\r\n")
        message = (b"\r\n" + message + b"\r\n").replace(b"\r\n.", b"\r\n")
        return message[2:]


_DEEDS: dict[str, Callable[[_Session, Rule], bool]] = {
    name[5:]: deed for name, deed in vars(_Session).items() if name.startswith("deed_")
}


@contextlib.contextmanager
def running(script: Mapping[str, Any] | None = None, **options: Any) -> Iterator[Server]:
    """A server in threads of this process, for a test. Options as for `Server`."""
    server = Server(Script.read(script or {}), **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _path(line: str) -> str:
    found = re.search(r"<([^>]*)>", line)
    return found[1] if found else ""


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
