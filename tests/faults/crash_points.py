"""The points of an issue's and a copy's way at which a process dies, as by `kill -9`, for tests of what it leaves.

`arm("attempted:2")` in the process that is to die: it kills itself when it gets there for the second time;
`arm("due:1:sleep")` stops it there instead, as SIGSTOP would. The product knows nothing of this: its functions are
wrapped here. What happens on the wire between `attempted` and `answered` is not named: there the mail server of the
tests kills the lane.
"""

import os
import signal
from collections.abc import Callable
from typing import Any, Final

from digests import requeuing
from digests.sending import audience, claims, merge, outcomes, preparing, send_journal
from digests.sending.pacing import windows
from postal import transports

# Point -> the function that it is about, and whether the process dies before the call or after it.
POINTS: Final[dict[str, tuple[Any, str, str]]] = {
    "due": (windows, "is_open", "after"),  # the issue may begin, and is not taken yet
    "planned": (audience, "plan", "after"),  # within the transaction that makes the issue one that is being sent
    "begun": (preparing, "prepare", "after"),  # the audience is committed
    "requeued": (requeuing, "copies", "after"),  # within the transaction that gives some copies of a rest back
    "claimed": (claims, "claim", "after"),  # the rows are held
    "rendered": (merge.Merger, "copies", "after"),  # within the transaction that will record the attempts
    "attempted": (send_journal.Journal, "note", "after"),  # the attempts are committed, nothing has left
    "answered": (transports, "for_settings", "each result"),  # the server's answer to one copy was read
    "settling": (outcomes, "settle", "before"),  # some answers are there, and none of these is written
    "settled": (outcomes, "settle", "after"),  # the results are committed
}
# About the issue rather than its copies; the others are points of a copy's way.
OF_AN_ISSUE: Final = {"due", "planned", "begun", "requeued"}


def arm(crash_at: str) -> None:
    """Die at "point:count", or sleep at "point:count:sleep"; with an empty text, neither."""
    if not crash_at:
        return
    point, count, *sleep = crash_at.split(":")
    owner, name, moment = POINTS[point]
    wrap = {"before": _dying_before, "after": _dying_after, "each result": _dying_among_results}[moment]
    setattr(
        owner, name, wrap(getattr(owner, name), _Countdown(int(count), signal.SIGSTOP if sleep else signal.SIGKILL))
    )


class _Countdown:
    def __init__(self, count: int, end: signal.Signals) -> None:
        self._left = count
        self._end = end

    def step(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), self._end)


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
