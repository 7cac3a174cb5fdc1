"""A server that limits the messages of a session defers no copy: the limit is learned, and we part first."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from postal.tests.test_smtp_outcomes import copies, hand_over, states, transport
from tests.faults import smtp_server

MOST = 5


def per_session(server: smtp_server.Server) -> list[int]:
    """How many messages each session began, in the order in which they ended."""
    return [lines.count("MAIL") for lines in server.sessions]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("do", ["close", "rst", "reply"])
def test_after_two_such_ends_we_part_first(do: str, pipelining: bool) -> None:
    with smtp_server.running(closing(do, pipelining=pipelining)) as server:
        sender = transport(server.port)
        outcomes = hand_over(sender, copies(60))
        sender.close()
    assert states(outcomes) == {"accepted": 60}
    assert set(server.copies().values()) == {1}
    ends = [lines[-1] for lines in server.sessions]
    assert "QUIT" not in ends[:2]
    assert set(ends[2:]) == {"QUIT"}
    assert max(per_session(server)[2:]) == MOST


def closing(do: str, *, pipelining: bool = True) -> dict[str, Any]:
    """A server that ends each session at the message after MOST, in one of three ways."""
    rule = {"at": "MAIL", "do": do, "reply": "421 4.7.0 Too many messages", "on": MOST + 1}
    return {"pipelining": pipelining, "rules": [rule]}


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("do", ["close", "rst"])
@pytest.mark.parametrize("connections", [1, 4])
def test_a_server_that_leaves_right_after_its_last_answer_puts_nobody_off(
    do: str, pipelining: bool, connections: int
) -> None:
    script = {"pipelining": pipelining, "rules": [{"at": "TOLD", "do": do, "on": MOST}]}
    with smtp_server.running(script) as server:
        sender = transport(server.port, connections=connections)
        outcomes = hand_over(sender, copies(60))
        sender.close()
    assert states(outcomes) == {"accepted": 60}
    assert set(server.copies().values()) == {1}


@pytest.mark.parametrize("do", ["close", "reply"])
def test_over_several_sessions_and_batches_nobody_is_put_off(do: str) -> None:
    with smtp_server.running(closing(do)) as server:
        sender = transport(server.port, connections=4)
        outcomes = [states(hand_over(sender, batch)) for batch in (copies(70), copies(70), copies(70))]
        sender.close()
    assert outcomes == [{"accepted": 70}] * 3
    assert set(server.copies().values()) == {3}
    # Of the first, and of those that were opened before the first was known to say something.
    ended_by_the_server = [lines for lines in server.sessions if lines[-1] != "QUIT"]
    assert len(ended_by_the_server) <= 2 * 4


def test_sessions_that_end_together_say_it_once() -> None:
    """As when the server is restarted: afterwards it takes as many as before."""
    rules = [{"at": "TOLD", "do": "close", "on": 3, "times": 4}, {"at": "BODY", "do": "delay", "seconds": 0.05}]
    with smtp_server.running({"rules": rules}) as server:
        sender = transport(server.port, connections=4)
        outcomes = hand_over(sender, copies(60))
        sender.close()
    assert states(outcomes) == {"accepted": 60}
    assert max(per_session(server)) > 3


def test_who_ends_a_session_now_and_then_teaches_nothing() -> None:
    """Two in a row that happen to end after as many would otherwise hold for all that follow."""
    # Sessions end after 3, 3, 2 and 9 messages; of the third and all further ones nobody knows anything.
    rules = [{"at": "TOLD", "do": "close", "skip": skip, "times": 1} for skip in (2, 5, 7, 16)]
    with smtp_server.running({"rules": rules}) as server:
        sender = transport(server.port)
        outcomes = hand_over(sender, copies(60))
        sender.close()
    assert states(outcomes) == {"accepted": 60}
    assert max(per_session(server)) > 9, "it was taken for a rule"


def test_refused_readers_count_as_messages() -> None:
    """They are transactions, which is what most servers count."""
    script = closing("reply")
    script["rules"].append({"at": "RCPT", "match": "^r.*3@", "do": "reply", "reply": "550 5.1.1 No such user"})
    with smtp_server.running(script) as server:
        sender = transport(server.port)
        outcomes = hand_over(sender, copies(60))
        sender.close()
    assert Counter(one.state for one in outcomes.values()) == {"accepted": 54, "rejected": 6}
    assert max(per_session(server)[2:]) == MOST
