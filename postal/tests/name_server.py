"""A DNS server on this machine, for tests: it answers from a table over UDP."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], list[str]]


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        server: Any = self.server
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        server.asked.append((name, kind))
        if server.is_silent:
            return
        response = dns.message.make_response(query)
        records = server.zone.get((name, kind))
        if records:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
        elif not any(known == name for known, _kind in server.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        sock.sendto(response.to_wire(), self.client_address)


class NameServer(socketserver.ThreadingUDPServer):
    """What it knows, what it was asked, and whether it answers at all."""

    daemon_threads = True

    def __init__(self, zone: Zone, *, is_silent: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.zone, self.is_silent = zone, is_silent
        self.asked: list[tuple[str, str]] = []

    @property
    def place(self) -> str:
        """Where it listens, as settings.DNS_SERVER names it."""
        return f"127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def running(zone: Zone, *, is_silent: bool = False) -> Iterator[NameServer]:
    """A server that runs meanwhile."""
    with NameServer(zone, is_silent=is_silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
