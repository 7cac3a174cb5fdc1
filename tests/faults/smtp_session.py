"""One connection of the fault-injecting SMTP server: what it answers, and the deeds that its script asks for."""

import base64
import contextlib
import os
import re
import signal
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.faults.smtp_script import Rule

if TYPE_CHECKING:
    from tests.faults.smtp_server import Server

GONE = (OSError, EOFError)


class Ended(Exception):
    """The session is over by a rule."""


class Session:
    """One connection."""

    def __init__(self, server: "Server", sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.buffer = b""
        self.pending = b""
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.verbs: list[str] = []

    def run(self) -> None:
        if self.server.implicit_tls and self.server.tls:
            self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)
        if not self.at("CONNECT"):
            self.say("220 sink ESMTP")
        while True:
            line = self.read_line()
            verb = line[:4].upper()
            self.server.commands.append(line)
            self.verbs.append(verb)
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
        rule = self.server.script.rule(moment, subject, number=self.verbs.count("MAIL"))
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
        with contextlib.suppress(*GONE):
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


_DEEDS: dict[str, Callable[[Session, Rule], bool]] = {
    name[5:]: deed for name, deed in vars(Session).items() if name.startswith("deed_")
}


def _path(line: str) -> str:
    match = re.search(r"<([^>]*)>", line)
    return match[1] if match else ""
