"""Over SMTP each copy's outcome follows from the phase in which the server answered or went away."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from postal import config
from postal.leases import Lease
from postal.tests import driving
from postal.transports.base import Copy, Outcome, Phase
from postal.transports.smtp import SmtpTransport
from tests.faults import smtp_server

PAYLOAD = b"From: n@example.com\r\nTo: r@example.com\r\nMessage-ID: <%d@example.com>\r\n\r\nText\r\n.dot\r\n"
VICTIM = "r1@example.com"


def copies(count: int, payload: bytes = PAYLOAD) -> list[Copy]:
    return [
        Copy(n, f"uuid-{n}", "bounces@example.com", f"r{n}@example.com", payload.replace(b"%d", b"%d" % n))
        for n in range(count)
    ]


def transport(port: int, *, connections: int = 1, tls: config.Tls = "none", **more: Any) -> SmtpTransport:
    timeouts = config.Timeouts(2, more.pop("command", 1.0), more.pop("final", 1.5))
    per_connection = more.pop("per_connection", 100)
    smtp = config.MailServer(more.pop("host", "127.0.0.1"), port, tls=tls, **more)
    sending = replace(
        settings.SENDING, timeouts=timeouts, connections=connections, messages_per_connection=per_connection
    )
    return SmtpTransport(smtp=smtp, sending=sending, lease=Lease())


def hand_over(sender: SmtpTransport, batch: Sequence[Copy]) -> dict[int, Outcome]:
    """The outcomes by copy; exactly one each."""
    outcomes = list(driving.outcomes_of(sender, batch))
    assert Counter(one.delivery_id for one in outcomes) == Counter(one.delivery_id for one in batch)
    return {one.delivery_id: one for one in outcomes}


def handed(
    batch: Sequence[Copy], script: Mapping[str, Any] | None = None, **more: Any
) -> tuple[dict[int, Outcome], smtp_server.Server]:
    """One batch to a server of its own, and what became of each copy."""
    with smtp_server.running(script) as server:
        sender = transport(server.port, **more)
        outcomes = hand_over(sender, batch)
        sender.close()
    return outcomes, server


def with_fault(
    rule: Mapping[str, Any], *, count: int = 5, pipelining: bool = True, **more: Any
) -> tuple[dict[int, Outcome], smtp_server.Server]:
    return handed(copies(count), {"pipelining": pipelining, "rules": [rule]}, **more)


def states(outcomes: Mapping[int, Outcome]) -> Counter[str]:
    return Counter(one.state for one in outcomes.values())


both_ways = pytest.mark.parametrize("pipelining", [True, False])


@both_ways
@pytest.mark.parametrize("connections", [1, 4])
def test_everybody_gets_one_copy(pipelining: bool, connections: int) -> None:
    with smtp_server.running({"pipelining": pipelining}) as server:
        sender = transport(server.port, connections=connections)
        outcomes = hand_over(sender, copies(50))
        sender.close()
    assert states(outcomes) == {"accepted": 50}
    assert server.copies() == {f"r{n}@example.com": 1 for n in range(50)}
    assert all(one.remote_id and one.code == "250 2.0.0" for one in outcomes.values())
    assert all(message.endswith(b"Text\r\n.dot\r\n") for message in server.messages)


@both_ways
@pytest.mark.parametrize(("at", "phase"), [("MAIL", "mail"), ("RCPT", "rcpt"), ("DATA", "data"), ("DOT", "final")])
@pytest.mark.parametrize(
    ("reply", "state"), [("451 4.7.1 Greylisted", "deferred"), ("550 5.1.1 No such user", "rejected")]
)
def test_a_refusal_concerns_one_copy(at: str, phase: str, reply: str, state: str, pipelining: bool) -> None:
    """F7 and F8."""
    rule = {"at": at, "do": "reply", "reply": reply, "skip": 1, "times": 1}
    outcomes, server = with_fault(rule, pipelining=pipelining)
    assert outcomes[1].state == state
    assert outcomes[1].phase == phase
    assert outcomes[1].code == reply[:9]
    assert states(outcomes) == Counter({"accepted": 4, state: 1})
    assert server.copies()[VICTIM] == 0
    assert server.connections == 1


@both_ways
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "BODY", "DOT"])
@pytest.mark.parametrize("do", ["close", "rst", "half_close", "silence"])
def test_a_session_lost_before_the_end_left_is_deferred_and_after_it_uncertain(
    at: str, do: str, pipelining: bool
) -> None:
    """F9. A body as small as this leaves in one piece, so from BODY on the end has left.

    A server that leaves before it has said anything of a copy has not refused it: another session takes it.
    """
    rule = {"at": at, "do": do, "skip": 1, "times": 1}
    outcomes, server = with_fault(rule, pipelining=pipelining, command=0.3, final=0.3)
    expected = {"BODY": "uncertain", "DOT": "uncertain", "MAIL": "deferred" if do == "silence" else "accepted"}
    assert outcomes[1].state == expected.get(at, "deferred")
    assert server.copies()[VICTIM] == (outcomes[1].state == "accepted")
    others = {n: one for n, one in outcomes.items() if n != 1}
    if do == "silence":
        # The rest does not wait for a silent server: it is deferred, not uncertain.
        assert states(others) <= Counter({"accepted": 4, "deferred": 4})
    else:
        assert states(others) == {"accepted": 4}


@both_ways
@pytest.mark.parametrize("do", ["close", "rst", "half_close", "silence"])
def test_a_lost_answer_to_the_final_dot_is_uncertain_and_never_repeated(do: str, pipelining: bool) -> None:
    """F9: the reader has a copy, and we cannot know."""
    rule = {"at": "ACCEPTED", "do": do, "skip": 1, "times": 1}
    outcomes, server = with_fault(rule, pipelining=pipelining, final=0.3)
    assert outcomes[1].state == "uncertain"
    assert outcomes[1].phase is Phase.FINAL
    assert not outcomes[1].about_us
    assert max(server.copies().values()) == 1
    assert server.copies()[VICTIM] == 1


@both_ways
@pytest.mark.parametrize("do", ["close", "rst"])
def test_a_long_body_cut_off_before_its_end_is_deferred(do: str, pipelining: bool) -> None:
    """F9: more than the kernel buffers, so its end cannot have left."""
    long_payload = PAYLOAD + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200_000
    with smtp_server.running({"pipelining": pipelining, "rules": [{"at": "BODY", "do": do, "times": 1}]}) as server:
        # A server that stops reading in the middle: deed_close reads on for a moment only.
        sender = transport(server.port)
        outcomes = hand_over(sender, copies(1, long_payload))
        sender.close()
    assert outcomes[0].state == "deferred"
    assert outcomes[0].phase is Phase.BODY
    assert not server.accepted


def test_what_was_accepted_before_the_reset_stays_accepted() -> None:
    outcomes, server = with_fault({"at": "TOLD", "do": "rst", "skip": 2, "times": 1})
    for n, one in outcomes.items():
        assert one.state == ("accepted" if server.copies()[f"r{n}@example.com"] else "deferred") or n == 2
    assert outcomes[2].state in {"accepted", "uncertain"}
    assert max(server.copies().values()) == 1


@both_ways
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "DOT"])
def test_421_defers_one_copy_and_a_new_session_takes_the_rest(at: str, pipelining: bool) -> None:
    """F7."""
    rule = {"at": at, "do": "reply", "reply": "421 4.3.2 Closing", "skip": 1, "times": 1}
    outcomes, server = with_fault(rule, pipelining=pipelining)
    # At MAIL it speaks of the session, not of the copy.
    assert outcomes[1].state == ("accepted" if at == "MAIL" else "deferred")
    assert states({n: one for n, one in outcomes.items() if n != 1}) == {"accepted": 4}
    assert server.connections == 2
    assert max(server.copies().values()) == 1


def test_a_slow_answer_to_the_whole_message_is_waited_for_longer_than_any_other() -> None:
    outcomes, server = with_fault({"at": "ACCEPTED", "do": "delay", "seconds": 0.5, "times": 1}, command=0.2)
    assert states(outcomes) == {"accepted": 5}
    assert max(server.copies().values()) == 1


def test_a_silent_server_costs_one_time_out_and_not_one_for_each_copy() -> None:
    began = time.monotonic()
    outcomes, server = with_fault({"at": "MAIL", "do": "silence"}, command=0.5, final=5.0)
    assert states(outcomes) == {"deferred": 5}
    assert server.connections == 1
    assert time.monotonic() - began < 0.95, "it was called late one time-out too late"


def test_nobody_is_handed_over_when_there_is_no_server() -> None:
    """F7."""
    with smtp_server.running() as server:
        port = server.port
    outcomes = hand_over(transport(port), copies(50))
    assert states(outcomes) == {"deferred": 50}
    assert {one.phase for one in outcomes.values()} == {Phase.CONNECT}
    assert all(one.unreachable and not one.about_us for one in outcomes.values())


@pytest.mark.parametrize(
    ("reply", "about_us", "connections"),
    [("421 4.3.2 Busy", False, 3), ("554 5.7.1 Your address is blocked", True, 1)],
)
def test_a_greeting_that_refuses_us_marks_no_reader(reply: str, about_us: bool, connections: int) -> None:
    outcomes, server = with_fault({"at": "CONNECT", "do": "reply", "reply": reply})
    assert states(outcomes) == {"deferred": 5}
    assert {one.about_us for one in outcomes.values()} == {about_us}
    assert server.connections == connections


def test_a_greeting_that_is_busy_once_puts_nobody_off() -> None:
    outcomes, server = with_fault({"at": "CONNECT", "do": "reply", "reply": "421 4.3.2 Busy", "times": 2})
    assert states(outcomes) == {"accepted": 5}
    assert server.connections == 3


@pytest.mark.parametrize(
    ("reply", "about_us"),
    [
        ("550 5.1.1 <r1@example.com>: no such user", False),
        ("552 5.2.2 Mailbox full", False),
        ("552 5.3.4 Message too big", True),
        ("550 5.7.26 Unauthenticated mail is not accepted", True),
        ("550 5.7.515 Access denied", True),
        ("554 5.7.1 <r1@example.com>: Relay access denied", True),
        ("550 5.7.134 The mailbox takes mail from inside only", False),
        ("530 5.7.0 Authentication required", True),
        ("550 Rejected: listed by Spamhaus", True),
        ("550 Mailbox unavailable", False),
    ],
)
def test_refusals_about_us_are_kept_apart_from_those_about_a_reader(reply: str, about_us: bool) -> None:
    """F8."""
    outcomes, _ = with_fault({"at": "RCPT", "match": VICTIM, "do": "reply", "reply": reply})
    assert outcomes[1].state == "rejected"
    assert outcomes[1].about_us is about_us
    assert "@" not in outcomes[1].reason
    assert states(outcomes) == {"accepted": 4, "rejected": 1}


def test_a_refused_sender_is_about_us() -> None:
    outcomes, _ = with_fault({"at": "MAIL", "do": "reply", "reply": "550 5.1.0 Sender rejected"})
    assert all(one.about_us for one in outcomes.values())


def test_a_server_that_comes_back_is_found_with_the_next_batch() -> None:
    rules = [{"at": "CONNECT", "do": "reply", "reply": "421 4.3.2 Restarting", "times": 3}]
    with smtp_server.running({"rules": rules}) as server:
        sender = transport(server.port)
        assert states(hand_over(sender, copies(3))) == {"deferred": 3}
        assert states(hand_over(sender, copies(3))) == {"accepted": 3}
        sender.close()


def test_a_session_carries_a_limited_number_of_messages() -> None:
    with smtp_server.running() as server:
        sender = transport(server.port, per_connection=10)
        assert states(hand_over(sender, copies(50))) == {"accepted": 50}
        # A session that is over is listened to no more, or every wait would end at once.
        assert sender._poll.poll(0) == []
        sender.close()
    assert server.connections == 5


def test_sessions_are_kept_between_batches_and_replaced_when_they_died_meanwhile() -> None:
    with smtp_server.running({"rules": [{"at": "TOLD", "do": "close", "skip": 9, "times": 1}]}) as server:
        sender = transport(server.port)
        assert states(hand_over(sender, copies(5))) == {"accepted": 5}
        assert states(hand_over(sender, copies(5))) == {"accepted": 5}
        assert server.connections == 1
        assert states(hand_over(sender, copies(5))) == {"accepted": 5}
        assert server.connections == 2
        sender.close()
    assert server.commands[-1] == "QUIT"


def test_a_transport_that_is_closed_in_the_middle_sends_nothing_more_and_can_begin_again() -> None:
    with smtp_server.running() as server:
        sender = transport(server.port)
        sender.submit(copies(50))
        assert sender.results(5.0)
        sender.close()
        sent = len(server.accepted)
        assert states(hand_over(sender, copies(3))) == {"accepted": 3}
        sender.close()
    assert sent < 50
    assert len(server.accepted) <= sent + 2 + 3


@pytest.mark.parametrize("recipient", ["a@b>\r\nRCPT TO:<c@d", "a b@c", "ä@example.com", "nobody", ""])
def test_an_address_cannot_become_a_command(recipient: str) -> None:
    batch = [*copies(2), Copy(7, "uuid", "b@example.com", recipient, PAYLOAD)]
    outcomes, server = handed(batch)
    assert outcomes[7].state == "rejected"
    assert outcomes[7].phase is Phase.LOCAL
    assert len(server.accepted) == 2


def test_a_sender_cannot_become_a_command_and_marks_no_reader() -> None:
    batch = [copies(1)[0], copies(2)[1]._replace(envelope_from="b@example.com>\r\nRCPT TO:<c@d")]
    outcomes, server = handed(batch)
    assert (outcomes[1].state, outcomes[1].phase, outcomes[1].about_us) == ("rejected", Phase.LOCAL, True)
    assert server.copies() == {"r0@example.com": 1}


def test_a_copy_without_a_sender_leaves() -> None:
    """RFC 5321 4.5.5: the empty return path."""
    outcomes, server = handed([copies(1)[0]._replace(envelope_from="")])
    assert states(outcomes) == {"accepted": 1}
    assert server.accepted[0].sender == ""


def test_a_copy_that_was_not_rendered_waits_and_none_is_empty() -> None:
    batch = [copies(1)[0]._replace(payload=None), copies(2)[1]]
    outcomes, server = handed(batch)
    assert (outcomes[0].state, outcomes[0].phase, outcomes[0].about_us) == ("deferred", Phase.LOCAL, True)
    assert server.copies() == {"r1@example.com": 1}


def test_dots_that_were_doubled_before_are_not_doubled_again() -> None:
    ready = copies(1)[0]._replace(payload=None, stuffed=[b"Subject: x\r\n\r\n", b"..dot\r\n"])
    _, server = handed([ready])
    assert server.messages == [b"Subject: x\r\n\r\n.dot\r\n"]


def test_once_the_server_is_known_to_be_away_no_further_copies_are_wanted() -> None:
    """Else a whole issue would be put off before anybody was asked. One copy still waits for its answer here."""
    rules = [
        {"at": "RCPT", "match": "^r0@", "do": "silence"},
        {"at": "DOT", "match": "^r1@", "do": "delay", "seconds": 1.0},
    ]
    with smtp_server.running({"rules": rules}) as server:
        sender = transport(server.port, connections=2, command=0.3, final=5.0)
        sender.submit(copies(2))
        while not (first := sender.results(1.0)):
            pass
        assert [(one.delivery_id, one.state) for one in first] == [(0, "deferred")]
        assert sender.ready() == 0
        while not (second := sender.results(1.0)):
            pass
        assert [(one.delivery_id, one.state) for one in second] == [(1, "accepted")]
        assert sender.ready() == 50, "and again for another try"
        sender.close()


def test_further_copies_are_wanted_when_few_are_left() -> None:
    with smtp_server.running() as server:
        sender = transport(server.port)
        assert sender.ready() == 50
        sender.submit(copies(40))
        assert sender.ready() == 0
        ready_at: list[int] = []
        count = 0
        while count < 40:
            count += len(sender.results(1.0))
            if sender.ready():
                ready_at.append(count)
        sender.close()
    assert min(ready_at) >= 35


def test_a_quiet_server_keeps_nobody_waiting_longer_than_was_asked() -> None:
    """The lane keeps its leases meanwhile."""
    rules = [{"at": "ACCEPTED", "match": "^r0@", "do": "delay", "seconds": 0.3}]
    with smtp_server.running({"rules": rules}) as server:
        sender = transport(server.port)
        sender.submit(copies(1))
        began, looks = time.monotonic(), list[float]()
        while not sender.results(0.02):
            assert time.monotonic() - began < 1
            looks.append(time.monotonic())
        sender.close()
    assert len(looks) >= 5


def test_nothing_is_waited_for_when_nothing_is_at_hand() -> None:
    with smtp_server.running() as server:
        sender = transport(server.port)
        began = time.monotonic()
        assert sender.results(5.0) == []
        assert time.monotonic() - began < 1
        sender.close()


def test_bare_line_ends_cannot_smuggle_a_second_message() -> None:
    """VU#302671: the end of a message is CRLF.CRLF and nothing that looks like it."""
    smuggled = b"Subject: x\r\n\r\nText\n.\nMAIL FROM:<x@y>\r.\r\n..\r\n.\r\nRCPT"
    with smtp_server.running() as server:
        sender = transport(server.port)
        assert states(hand_over(sender, copies(2, smuggled))) == {"accepted": 2}
        sender.close()
    assert len(server.messages) == 2
    assert server.messages[0].count(b"\n") == server.messages[0].count(b"\r") == server.messages[0].count(b"\r\n")
    assert b"\r\n.\r\nMAIL FROM:<x@y>\r\n.\r\n..\r\n.\r\nRCPT\r\n" in server.messages[0]


def test_too_big_for_the_server_is_about_us() -> None:
    with smtp_server.running({"size": 50}) as server:
        sender = transport(server.port)
        outcomes = hand_over(sender, copies(2))
        sender.close()
    assert states(outcomes) == {"rejected": 2}
    assert all(one.about_us and one.code == "552 5.3.4" for one in outcomes.values())
