"""What may have left decides: the boundary between deferred and uncertain, byte by byte."""

import pytest

from postal.replies import Reply
from postal.transports.base import Copy, Outcome
from postal.transports.conversation import _MOST_MOVES, Attempt, Conversation

PAYLOAD = b"Subject: x\r\n\r\nText\r\n"


def attempt(n: int) -> Attempt:
    return Attempt(Copy(n, f"uuid-{n}", "b@example.com", f"r{n}@example.com", PAYLOAD))


def with_body_written(*, behind: bool = False) -> Conversation:
    """A conversation in which copy 1 is to leave, and copy 2's envelope follows it."""
    talk = Conversation({"PIPELINING": ""})
    talk.begin(attempt(1))
    talk.left(len(talk.outgoing))
    for reply in (Reply(250, ""), Reply(250, ""), Reply(354, "")):
        assert talk.receive(reply) is None
    if behind:
        talk.begin(attempt(2))
    return talk


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("missing", range(len(PAYLOAD) + 4))
def test_a_copy_is_uncertain_from_the_first_byte_of_its_end(missing: int, encrypted: bool) -> None:
    talk = with_body_written()
    sent = len(talk.outgoing) - missing
    if encrypted:
        talk.may_have_left(sent)
    else:
        talk.left(sent)
    [outcome], again = talk.lose("gone")
    assert not again
    # The end is CRLF.CRLF: five bytes, of which at least one has left when four are missing.
    assert outcome.state == ("uncertain" if missing <= 4 else "deferred")


def test_a_copy_announced_behind_a_lost_one_goes_to_another_session() -> None:
    talk = with_body_written(behind=True)
    talk.left(len(talk.outgoing))
    [first], [again] = talk.lose("gone")
    assert (first.delivery_id, first.state) == (1, "uncertain")
    assert again.copy.delivery_id == 2


def test_a_server_that_begins_with_no_message_at_all_is_asked_twice() -> None:
    copy, sessions = attempt(1), 0
    outcomes: list[Outcome] = []
    while not outcomes:
        talk = Conversation({"PIPELINING": ""})
        talk.begin(copy)
        outcomes, _ = talk.lose("gone")
        sessions += 1
    assert (outcomes[0].state, sessions) == ("deferred", 2)


def after_one_message() -> Conversation:
    """A session on which copy 1 was accepted."""
    talk = with_body_written()
    talk.left(len(talk.outgoing))
    assert talk.receive(Reply(250, "")) is not None
    return talk


def test_a_copy_that_ends_every_session_is_put_off_in_the_end() -> None:
    copy, sessions = attempt(2), 0
    outcomes: list[Outcome] = []
    while not outcomes:
        talk = after_one_message()
        talk.begin(copy)
        talk.receive(Reply(421, "4.7.0 Too many messages in this session"))
        outcomes, _ = talk.lose("gone")
        sessions += 1
    assert (outcomes[0].state, outcomes[0].code, sessions) == ("deferred", "421 4.7.0", _MOST_MOVES + 1)


def test_421_to_the_first_message_of_a_session_is_an_answer_to_the_copy() -> None:
    """It is not about how many messages a session may have."""
    talk = Conversation({"PIPELINING": ""})
    talk.begin(attempt(1))
    talk.receive(Reply(421, "4.7.0 Too fast"))
    [outcome], again = talk.lose("gone")
    assert (outcome.state, outcome.code, again) == ("deferred", "421 4.7.0", [])


@pytest.mark.parametrize(
    ("answers", "was_full"),
    [((), True), ((421,), True), ((250,), False), ((250, 421), False), ((250, 250, 421), False)],
)
def test_a_session_is_full_when_the_server_ends_it_between_two_messages(
    answers: tuple[int, ...], was_full: bool
) -> None:
    talk = after_one_message()
    talk.begin(attempt(2))
    for code in answers:
        talk.receive(Reply(code, ""))
    talk.lose("gone")
    assert talk.was_full is was_full


def test_a_session_that_ended_before_its_first_message_was_not_full() -> None:
    talk = Conversation({"PIPELINING": ""})
    talk.begin(attempt(1))
    talk.lose("gone")
    assert not talk.was_full


def test_the_next_envelope_leaves_with_the_body() -> None:
    talk = with_body_written(behind=True)
    assert bytes(talk.outgoing) == PAYLOAD + b".\r\n" + (
        b"MAIL FROM:<b@example.com>\r\nRCPT TO:<r2@example.com>\r\nDATA\r\n"
    )


def test_without_pipelining_one_thing_is_sent_at_a_time() -> None:
    talk = Conversation({})
    talk.begin(attempt(1))
    writes = []
    for reply in (Reply(250, ""), Reply(250, ""), Reply(354, "")):
        writes.append(bytes(talk.outgoing))
        talk.left(len(talk.outgoing))
        talk.receive(reply)
    assert writes == [b"MAIL FROM:<b@example.com>\r\n", b"RCPT TO:<r1@example.com>\r\n", b"DATA\r\n"]
    assert not talk.takes_next
    assert bytes(talk.outgoing) == PAYLOAD + b".\r\n"


def test_a_refused_reader_never_gets_the_message_even_if_the_server_asks_for_it() -> None:
    """RFC 2920 3.1: after 354 with no recipient left, a lone dot."""
    talk = Conversation({"PIPELINING": ""})
    talk.begin(attempt(1))
    talk.left(len(talk.outgoing))
    talk.receive(Reply(250, ""))
    talk.receive(Reply(550, "5.1.1 Unknown"))
    outcome = talk.receive(Reply(354, "Go ahead"))
    assert outcome is not None
    assert outcome.state == "rejected"
    assert bytes(talk.outgoing) == b".\r\n"
    assert talk.receive(Reply(554, "No valid recipients")) is None
    assert talk.is_idle


@pytest.mark.parametrize("code", [220, 334, 354])
def test_an_answer_out_of_turn_to_the_final_dot_is_uncertain(code: int) -> None:
    talk = with_body_written()
    talk.left(len(talk.outgoing))
    outcome = talk.receive(Reply(code, ""))
    assert outcome is not None
    assert outcome.state == ("accepted" if code == 220 else "uncertain")
    # Nothing that comes later could be trusted to belong to what is asked.
    assert talk.is_over is (code != 220)


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(("answers", "place"), [((354,), 1), ((250, 354), 2), ((250, 250, 250), 3)])
def test_an_answer_out_of_turn_before_the_message_ends_the_session(
    answers: tuple[int, ...], place: int, pipelining: bool
) -> None:
    """An answer too many would be taken for the next one's, and a copy for accepted that is not."""
    talk = Conversation({"PIPELINING": ""} if pipelining else {})
    talk.begin(attempt(1))
    for code in answers:
        talk.left(len(talk.outgoing))
        assert talk.receive(Reply(code, "")) is None
    assert talk.is_over
    assert not talk.takes_next
    [outcome], again = talk.lose("gone")
    assert (outcome.state, len(again)) == ("deferred", 0)


def test_an_answer_that_nobody_asked_for_ends_the_session() -> None:
    talk = Conversation({"PIPELINING": ""})
    assert talk.takes_next
    assert talk.receive(Reply(250, "Hello?")) is None
    assert talk.is_over
    assert not talk.takes_next


def test_a_copy_that_was_refused_is_rejected_even_if_the_session_ends_then() -> None:
    talk = Conversation({"PIPELINING": ""})
    talk.begin(attempt(1))
    talk.left(len(talk.outgoing))
    talk.receive(Reply(250, ""))
    talk.receive(Reply(550, "5.1.1 Unknown"))
    [outcome], again = talk.lose("gone")
    assert (outcome.state, outcome.code, again) == ("rejected", "550 5.1.1", [])


def test_a_copy_whose_end_may_have_left_is_never_tried_again_whatever_the_session_was() -> None:
    talk = with_body_written(behind=True)
    talk.left(len(talk.outgoing))
    outcomes, again = talk.lose("gone")
    assert [(one.delivery_id, one.state) for one in outcomes] == [(1, "uncertain")]
    assert [one.copy.delivery_id for one in again] == [2]


def test_a_copy_that_ended_the_session_itself_is_not_tried_again_there_and_then() -> None:
    talk = with_body_written(behind=True)
    talk.left(len(talk.outgoing))
    outcome = talk.receive(Reply(421, "4.7.0 Too many"))
    assert outcome is not None
    assert (outcome.delivery_id, outcome.state) == (1, "deferred")
    assert talk.is_over
    none, [behind] = talk.lose("gone")
    assert (none, behind.copy.delivery_id) == ([], 2)


def test_the_patience_for_a_final_answer_begins_when_the_message_has_left() -> None:
    talk = with_body_written()
    assert not talk.awaits_final
    talk.left(len(talk.outgoing))
    assert talk.awaits_final


@pytest.mark.parametrize(
    ("announced", "payload", "parameter"),
    [
        ({"8BITMIME": ""}, b"Subject: x\r\n\r\n\xc3\xa4\r\n", b" BODY=8BITMIME"),
        ({"8BITMIME": ""}, PAYLOAD, b""),
        ({}, b"Subject: x\r\n\r\n\xc3\xa4\r\n", b""),
    ],
)
def test_bytes_beyond_ascii_are_announced_where_the_server_wants_to_know(
    announced: dict[str, str], payload: bytes, parameter: bytes
) -> None:
    """RFC 6152 3."""
    talk = Conversation(announced)
    talk.begin(Attempt(attempt(1).copy._replace(payload=payload)))
    assert bytes(talk.outgoing) == b"MAIL FROM:<b@example.com>" + parameter + b"\r\n"
