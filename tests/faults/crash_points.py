"""The points of a copy's way at which a lane's process dies, as `kill -9` would, for tests of what it leaves behind.

`arm("attempted:2")` in the process that is to die: it kills itself when it gets there for the second time. The
product knows nothing of this: its functions are wrapped here. What happens on the wire between `attempted` and
`answered` is not named: there the mail server of the tests kills the lane.
"""

import os
import signal
from collections.abc import Callable
from typing import Any, Final

from digests.sending import claims, merge, outcomes, send_journal
from postal import transports

# Point -> the function that it is about, and whether the process dies before the call or after it.
POINTS: Final[dict[str, tuple[Any, str, str]]] = {
    "claimed": (claims, "claim", "after"),  # the rows are held
    "rendered": (merge.Merger, "copies", "after"),  # within the transaction that will record the attempts
    "attempted": (send_journal.Journal, "note", "after"),  # the attempts are committed, nothing has left
    "answered": (transports, "for_settings", "each result"),  # the server's answer to one copy was read
    "settling": (outcomes, "settle", "before"),  # some answers are there, and none of these is written
    "settled": (outcomes, "settle", "after"),  # the results are committed
}


def arm(crash_at: str) -> None:
    """Die at "point:count"; with an empty text, not at all."""
    if not crash_at:
        return
    point, _, count = crash_at.partition(":")
    owner, name, moment = POINTS[point]
    wrap = {"before": _dying_before, "after": _dying_after, "each result": _dying_among_results}[moment]
    setattr(owner, name, wrap(getattr(owner, name), _Countdown(int(count))))


class _Countdown:
    def __init__(self, count: int) -> None:
        self._left = count

    def step(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def _dying_before(function: Callable[..., Any], countdown: _Countdown) -> Callable[..., Any]:
    def wrapped(*args: Any, **options: Any) -> Any:
        countdown.step()
        return function(*args, **options)

    return wrapped


def _dying_after(function: Callable[..., Any], countdown: _Countdown) -> Callable[..., Any]:
    def wrapped(*args: Any, **options: Any) -> Any:
        value = function(*args, **options)
        countdown.step()
        return value

    return wrapped


def _dying_among_results(for_settings: Callable[..., Any], countdown: _Countdown) -> Callable[..., Any]:
    """Dies at the N-th outcome that a transport reports, whichever transport it is."""

    def wrapped(*args: Any, **options: Any) -> Any:
        transport = for_settings(*args, **options)
        results = transport.results

        def counted(timeout: float) -> Any:
            outcomes_now = results(timeout)
            for _ in outcomes_now:
                countdown.step()
            return outcomes_now

        transport.results = counted
        return transport

    return wrapped
