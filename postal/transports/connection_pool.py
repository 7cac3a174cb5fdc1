"""Opens and closes SMTP sessions beside the loop that serves them, so that those under way wait for neither.

Greeting, EHLO, STARTTLS and AUTH are five round trips, and QUIT is one. Over a slow line a lane that
waited for them would do nothing for a third of its time.
"""

import contextlib
import queue
import socket
from concurrent import futures

from postal.transports import session
from postal.transports.session import Server, Session, SessionFailed

_QUIT_SECONDS = 2.0


class ConnectionPool:
    """Opens and closes up to `count` sessions at a time. `fileno` becomes readable when one was opened or failed."""

    def __init__(self, server: Server, count: int) -> None:
        self.opening = 0
        self._server = server
        # Sessions that end together would otherwise have their successors wait for the answers to QUIT.
        self._threads = futures.ThreadPoolExecutor(max_workers=2 * count, thread_name_prefix="smtp")
        self._arrived: queue.SimpleQueue[Session | SessionFailed] = queue.SimpleQueue()
        self._wakeup_reader, self._wakeup_writer = socket.socketpair()
        self._wakeup_reader.setblocking(False)
        self._closings: list[futures.Future[None]] = []
        self._is_over = False

    @property
    def fileno(self) -> int:
        return self._wakeup_reader.fileno()

    def open_one(self) -> None:
        """Begin to open a session; `arrived` will have it."""
        self.opening += 1
        self._threads.submit(self._open)

    def arrived(self) -> list[Session | SessionFailed]:
        """The sessions that were opened since, and why others were not."""
        with contextlib.suppress(BlockingIOError):
            self._wakeup_reader.recv(4096)
        arrived = self._take()
        self.opening -= len(arrived)
        return arrived

    def close_session(self, sock: socket.socket) -> None:
        """Say QUIT and close, without being waited for."""
        self._closings = [one for one in self._closings if not one.done()]
        self._closings.append(self._threads.submit(_quit, sock))

    def close(self) -> None:
        """Close the sessions that have arrived or still arrive; wait a moment for the former. Never raises."""
        self._is_over = True
        for one in self._take():
            if isinstance(one, Session):
                self.close_session(one.sock)
        futures.wait(self._closings, timeout=_QUIT_SECONDS)
        self._threads.shutdown(wait=False)
        self._wakeup_reader.close()
        self._wakeup_writer.close()

    def _open(self) -> None:
        try:
            self._arrived.put(session.start(self._server))
        except SessionFailed as failure:
            self._arrived.put(failure)
        except Exception as error:  # noqa: BLE001  # the loop that waits for this thread must hear of its end
            self._arrived.put(SessionFailed(f"The session could not be opened ({type(error).__name__})."))
        if self._is_over:
            for one in self._take():
                if isinstance(one, Session):
                    _quit(one.sock)
        with contextlib.suppress(OSError):
            self._wakeup_writer.send(b".")

    def _take(self) -> list[Session | SessionFailed]:
        arrived = []
        with contextlib.suppress(queue.Empty):
            while True:
                arrived.append(self._arrived.get_nowait())
        return arrived


def _quit(sock: socket.socket) -> None:
    """Never raises."""
    with contextlib.suppress(OSError):
        sock.settimeout(_QUIT_SECONDS)
        sock.sendall(b"QUIT\r\n")
        sock.recv(512)
    with contextlib.suppress(OSError):
        sock.close()
