"""A proxy in front of PostgreSQL that cuts a connection at a chosen statement, before or after it was carried out.

In a test::

    with postgres_proxy.running(host="127.0.0.1", port=5432) as proxy:
        proxy.cut = postgres_proxy.Cut(b"COMMIT", number=2, when="after")
        ... connect to proxy.host, a folder with a Unix socket ...

After the cut everything else passes, new connections too.
"""

import contextlib
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SOCKET_NAME = ".s.PGSQL.5432"
# Parse and Bind of a statement with a name (PostgreSQL 18, 54.7): its text is sent once, then its name.
PARSE = re.compile(rb"P.{4}([^\0]+)\0([^\0]*)\0", re.DOTALL)
BIND = re.compile(rb"B.{4}[^\0]*\0([^\0]+)\0", re.DOTALL)


@dataclass
class Cut:
    """Cut at the `number`th statement that holds `statement`: `before` the server hears it, or `after` it answered."""

    statement: bytes
    when: Literal["before", "after"]
    number: int = 1
    done: bool = field(default=False, init=False)

    def is_now(self, data: bytes, prepared: dict[bytes, bytes]) -> bool:
        """True once; counts what is carried out. `prepared` has the connection's statements by their names."""
        known = dict(PARSE.findall(data))
        prepared |= known
        statements = data if not known else b""
        statements += b"".join(prepared.get(name, b"") for name in BIND.findall(data))
        if self.statement in statements and self.number:
            self.number -= 1
            self.done = not self.number
            return self.done
        return False


class Proxy:
    """Listens on a Unix socket in `host`; two threads per connection."""

    def __init__(self, folder: Path, upstream: tuple[str, int]) -> None:
        self.host = str(folder)
        self.cut: Cut | None = None
        self._upstream = upstream
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET_NAME))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._connect() as server:
            back = threading.Thread(target=self._to_client, args=(client, server), daemon=True)
            back.start()
            self._to_server(client, server)
            back.join()

    def _connect(self) -> socket.socket:
        host, port = self._upstream
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        prepared: dict[bytes, bytes] = {}
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                with self._lock:
                    cut = self.cut if self.cut and self.cut.is_now(data, prepared) else None
                if cut and cut.when == "after":
                    # The other thread must not pass on the answer: the client never hears it.
                    shut(client)
                    server.sendall(data)
                    server.settimeout(5)
                    server.recv(1 << 20)
                if cut:
                    break
                server.sendall(data)
        shut(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                client.sendall(data)
        shut(client, server)


def shut(*ends: socket.socket) -> None:
    """Cut these sockets at once, also under a thread that reads from them."""
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running(*, host: str, port: int) -> Iterator[Proxy]:
    """A proxy in threads of this process, in front of the server at `host`, which may be a socket's folder."""
    # Not pytest's folder: a socket's path has at most about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        proxy = Proxy(Path(folder), (host, port))
        try:
            yield proxy
        finally:
            proxy.stop()
