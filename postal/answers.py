"""What an answer means for the mail that it decided about: one classifier for letters and for copies of an issue.

The state follows from the reply code, whose fault a refusal is from its words and codes (`verdicts`).
"""

from __future__ import annotations

import smtplib
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from anymail.exceptions import AnymailRecipientsRefused
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core.reasons import Reason, Template
from postal import verdicts
from postal.replies import Reply, clean
from postal.verdicts import Verdict

State = Literal["accepted", "deferred", "rejected"]


class Cause(TextChoices):
    """Why mail did not arrive, or not yet."""

    MAILBOX_GONE = "mailbox_gone", _("The mailbox does not exist.")
    MAILBOX_FULL = "mailbox_full", _("The mailbox is full.")
    ABOUT_US = "about_us", _("The refusal is about us.")
    UNWANTED = "unwanted", _("The reader's own rules refuse it.")
    PASSING = "passing", _("It cannot be delivered at the moment.")
    GIVEN_UP = "given_up", _("The reader's mail server could not be reached.")
    REFUSED = "refused", _("It was refused, and why is not understood.")
    OUT_OF_TURN = "out_of_turn", _("The mail server's answer makes no sense.")
    ANSWER_LOST = "answer_lost", _("The answer was lost: it may have arrived.")
    CONNECTION_LOST = "connection_lost", _("The connection broke before it had left.")
    NO_SESSION = "no_session", _("The mail server would not begin.")
    NOT_HANDED_OVER = "not_handed_over", _("It could not be handed over.")
    PROVIDER_ANSWERED = "provider_answered", _("The mail provider did not take it.")
    PROVIDER_REFUSED = "provider_refused", _("The mail provider refused the address.")
    NOT_REACHED = "not_reached", _("The mail server could not be reached, or the connection broke.")
    NOT_SENT = "not_sent", _("It could not be sent.")


SENTENCES: Final[Mapping[str, Template]] = {
    Cause.MAILBOX_GONE: _("The mailbox does not exist: %(said)s"),
    Cause.MAILBOX_FULL: _("The mailbox is full: %(said)s"),
    Cause.ABOUT_US: _("The refusal is about us: %(said)s"),
    Cause.UNWANTED: _("The reader's own rules refuse it: %(said)s"),
    Cause.PASSING: _("It cannot be delivered at the moment: %(said)s"),
    Cause.GIVEN_UP: _("The reader's mail server could not be reached: %(said)s"),
    Cause.REFUSED: _("It was refused, and why is not understood: %(said)s"),
    Cause.OUT_OF_TURN: _("The mail server's answer makes no sense: %(said)s"),
    Cause.ANSWER_LOST: _("The answer was lost: it may have arrived. %(said)s"),
    Cause.CONNECTION_LOST: _("The connection broke before it had left. %(said)s"),
    Cause.NO_SESSION: _("The mail server would not begin: %(said)s"),
    Cause.NOT_HANDED_OVER: _("It could not be handed over: %(said)s"),
    Cause.PROVIDER_ANSWERED: _("The mail provider did not take it: %(said)s"),
    Cause.NOT_REACHED: _("The mail server could not be reached, or the connection broke (%(said)s)."),
    Cause.NOT_SENT: _("It could not be sent (%(error)s)."),
}
CAUSES: Final[Mapping[Verdict, Cause]] = {
    Verdict.GONE: Cause.MAILBOX_GONE,
    Verdict.FULL: Cause.MAILBOX_FULL,
    Verdict.OURS: Cause.ABOUT_US,
    Verdict.UNWANTED: Cause.UNWANTED,
    Verdict.PASSING: Cause.PASSING,
    Verdict.GIVEN_UP: Cause.GIVEN_UP,
    Verdict.UNKNOWN: Cause.REFUSED,
}


class Meaning(NamedTuple):
    """What becomes of the mail, and why.

    `about_us`: the refusal is final, but speaks of the sender, so mending that may help. `is_gone`: the
    reader's own server says that the mailbox does not exist.
    """

    state: State
    reason: Reason = Reason()
    about_us: bool = False
    is_gone: bool = False


def of_reply(reply: Reply, *, names_reader: bool = True) -> Meaning | None:
    """What a server's answer means; None for one that is neither yes nor no.

    2xx is yes, 4xx not now, 5xx no. `names_reader` is False for an answer to a command that names no
    reader (the greeting, MAIL FROM): a refusal there is about us.
    """
    kind = reply.code // 100
    if kind == 2:
        return Meaning("accepted")
    if kind not in {4, 5}:
        return None
    verdict = verdicts.judge(words=reply.text, code=reply.code, names_reader=names_reader).verdict
    reason = Reason(CAUSES[verdict], {"said": clean(f"{reply.code} {reply.text}")})
    if kind == 4:
        return Meaning("deferred", reason)
    return Meaning("rejected", reason, about_us=verdict is Verdict.OURS, is_gone=verdict is Verdict.GONE)


def of_error(error: Exception) -> Meaning:
    """What an error of Django's mail backends means. Only a server's or provider's own no rejects."""
    match error:
        case AnymailRecipientsRefused():
            return Meaning("rejected", Reason(Cause.PROVIDER_REFUSED))
        case smtplib.SMTPRecipientsRefused() if error.recipients:
            code, text = next(iter(error.recipients.values()))
            return _of_smtp(code, text, names_reader=True)
        case smtplib.SMTPDataError():
            return _of_smtp(error.smtp_code, error.smtp_error, names_reader=True)
        case smtplib.SMTPResponseException():
            return _of_smtp(error.smtp_code, error.smtp_error, names_reader=False)
        case OSError():
            return Meaning("deferred", Reason(Cause.NOT_REACHED, {"said": type(error).__name__}))
        case _:
            return Meaning("deferred", Reason(Cause.NOT_SENT, {"error": type(error).__name__}))


def _of_smtp(code: int, text: bytes | str, *, names_reader: bool) -> Meaning:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    reply = Reply(code, words)
    out_of_turn = Reason(Cause.OUT_OF_TURN, {"said": clean(f"{code} {words}")})
    return of_reply(reply, names_reader=names_reader) or Meaning("deferred", out_of_turn)
