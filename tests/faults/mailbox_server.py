"""A mailbox on loopback that speaks enough IMAP for fetching bounces, and fails on request.

    with mailbox_server.running(mails=[...], faults={"UID STORE": "drop"}) as server:
        ... server.port ... server.mails ... server.commands ...

A fault names the beginning of a command and what happens instead of its answer: `drop` ends the
connection, `drip` sends a byte now and then for a minute, `refuse` says no, `slow` answers after half a
second, `gone` finds the mail deleted meanwhile; any other text is sent as it is before an OK. The greeting
is a command of the name GREETING.
"""

import base64
import contextlib
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

DRIPS = 1200
USER, PASSWORD = "returns", 's3c"ret'


@dataclass
class Mail:
    """One mail in the mailbox."""

    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


class Server(socketserver.ThreadingTCPServer):
    """One mailbox; each connection is served in a thread."""

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, mails: list[bytes], faults: Mapping[str, str], **options: object) -> None:
        self.mails = [Mail(uid, raw) for uid, raw in enumerate(mails, start=11)]
        self.faults = dict(faults)
        self.keywords = bool(options.get("keywords", True))
        self.capabilities = str(options.get("capabilities", "UIDPLUS STARTTLS"))
        self.folder = str(options.get("folder", '"INBOX"'))
        self.commands: list[str] = []
        self.is_over = threading.Event()
        self.tls: ssl.SSLContext | None = None
        self.implicit_tls = bool(options.get("implicit_tls", False))
        certificate = options.get("certificate")
        if isinstance(certificate, Path):
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        super().__init__(("127.0.0.1", 0), _Session)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is part of the game."""


@contextlib.contextmanager
def running(mails: list[bytes], faults: Mapping[str, str] | None = None, **options: object) -> Iterator[Server]:
    """The server, from listening to closed."""
    with Server(mails, faults or {}, **options) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.shutdown()


class _Session(socketserver.StreamRequestHandler):
    server: Server

    def setup(self) -> None:
        if self.server.implicit_tls and self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def encrypt(self) -> None:
        assert self.server.tls is not None
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()

    def say(self, text: str | bytes) -> None:
        self.wfile.write((text.encode() if isinstance(text, str) else text) + b"\r\n")

    def fault(self, command: str) -> str:
        """Carry out the fault for this command, if there is one; its name, or an empty text."""
        self.server.commands.append(command)
        name = next((what for start, what in self.server.faults.items() if command.upper().startswith(start)), "")
        if name == "drop":
            raise ConnectionAbortedError
        if name == "drip":
            for _ in range(DRIPS):
                self.wfile.write(b"*")
                if self.server.is_over.wait(0.05):
                    break
            raise ConnectionAbortedError
        if name == "slow":
            time.sleep(0.5)
        return name

    def handle(self) -> None:
        self.fault("GREETING")
        self.say(f"* OK [CAPABILITY IMAP4rev1 {self.server.capabilities}] ready")
        while line := self.rfile.readline():
            tag, _, command = line.decode().strip().partition(" ")
            fault = self.fault(command)
            if fault in {"refuse", "gone"}:
                self.say(f"{tag} OK nothing" if fault == "gone" else f"{tag} NO [AUTHENTICATIONFAILED] no")
                continue
            if fault not in {"", "slow"}:
                self.say(f"{fault}\r\n{tag} OK done")
                continue
            verb = command.upper().split()
            name = "_".join(verb[:2]).lower() if verb[:1] == ["UID"] else verb[0].lower()
            handler: Callable[[str, str], None] = getattr(self, f"do_{name}", self.unknown)
            handler(tag, command)
            if verb[0] == "LOGOUT":
                return

    def unknown(self, tag: str, command: str) -> None:
        self.say(f"{tag} BAD what")

    def do_capability(self, tag: str, command: str) -> None:
        self.say(f"* CAPABILITY IMAP4rev1 {self.server.capabilities}")
        self.say(f"{tag} OK done")

    def do_starttls(self, tag: str, command: str) -> None:
        self.say(f"{tag} OK begin")
        self.encrypt()

    def do_login(self, tag: str, command: str) -> None:
        good = f'{USER} "{PASSWORD}"'.replace('s3c"', 's3c\\"')
        self.say(f"{tag} OK in" if command.partition(" ")[2] == good else f"{tag} NO [AUTHENTICATIONFAILED] no")

    def do_select(self, tag: str, command: str) -> None:
        if command != f"SELECT {self.server.folder}":
            self.say(f"{tag} NO no such folder")
            return
        self.say(f"* {len(self.server.mails)} EXISTS")
        self.say(r"* OK [PERMANENTFLAGS (\Deleted \Seen" + (r" \*" if self.server.keywords else "") + ")] flags")
        self.say(f"{tag} OK [READ-WRITE] selected")

    def do_uid_search(self, tag: str, command: str) -> None:
        first, last = map(int, re.findall(r"(\d+):(\d+)", command)[0])
        unwanted = {
            "\\Deleted" if "UNDELETED" in command else "",
            "\\Seen" if "UNSEEN" in command else command.rpartition("UNKEYWORD ")[2],
        }
        mails = [mail for mail in self.server.mails[first - 1 : last] if not mail.flags & unwanted]
        self.say("* SEARCH " + " ".join(str(mail.uid) for mail in mails))
        self.say(f"{tag} OK searched")

    def do_uid_fetch(self, tag: str, command: str) -> None:
        uid, limit = int(command.split()[2]), int(re.findall(r"<0\.(\d+)>", command)[0])
        for mail in self.server.mails:
            if mail.uid == uid:
                mail.flags |= set() if "PEEK" in command else {"\\Seen"}
                raw = mail.raw[:limit]
                self.wfile.write(b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n%b)\r\n" % (uid, len(raw), raw))
        self.say(f"{tag} OK fetched")

    def do_uid_store(self, tag: str, command: str) -> None:
        _, _, uid, _, flag = command.split()
        for mail in self.server.mails:
            if mail.uid == int(uid):
                mail.flags.add(flag.strip("()"))
        self.say(f"{tag} OK stored")

    def do_uid_expunge(self, tag: str, command: str) -> None:
        uids = {int(uid) for uid in command.split()[2].split(",")}
        self.server.mails = [one for one in self.server.mails if not (one.uid in uids and "\\Deleted" in one.flags)]
        self.say(f"{tag} OK expunged")

    def do_expunge(self, tag: str, command: str) -> None:
        self.server.mails = [one for one in self.server.mails if "\\Deleted" not in one.flags]
        self.say(f"{tag} OK expunged")

    def do_authenticate(self, tag: str, command: str) -> None:
        self.say("+ ")
        credentials = base64.b64decode(self.rfile.readline()).split(b"\0")
        self.say(f"{tag} OK in" if credentials == [b"", USER.encode(), PASSWORD.encode()] else f"{tag} NO no")

    def do_logout(self, tag: str, command: str) -> None:
        self.say("* BYE")
        self.say(f"{tag} OK bye")
