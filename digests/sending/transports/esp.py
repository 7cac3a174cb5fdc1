"""Bulk mail through a provider's HTTP interface, by Anymail.

Where the provider merges (`esp_message.MERGE_FIELDS`), a batch is one request; elsewhere a copy
is. The webhooks find a copy by the metadata `delivery`, which holds its uuid.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from anymail.exceptions import AnymailError, AnymailInvalidAddress
from anymail.message import AnymailMessage, AnymailRecipientStatus
from django.core import mail

from digests.sending import replies
from digests.sending.transports import esp_message
from digests.sending.transports.base import Copy, Outcome, Phase, State
from digests.sending.transports.http_phase import Watch
from mailkit import headers, segments

# What Anymail calls the answer for one recipient (anymail.message.ANYMAIL_STATUSES).
STATES: Final[Mapping[str, State]] = {
    "sent": "accepted",
    "queued": "accepted",
    "invalid": "rejected",
    "rejected": "rejected",
    "failed": "deferred",
    "unknown": "uncertain",
}
# Without a Retry-After that can be read (RFC 9110 10.2.3).
DEFAULT_WAIT_SECONDS: Final = 60
# Mailgun "'to' parameter is not a valid address", SendGrid "personalizations.0.to.0.email",
# Postmark "Invalid 'To' address", "inactive recipients", Resend "Invalid `to` field".
_ABOUT_ONE_READER = re.compile(
    r"\bto\b[`'\"]?\s*(?:parameter|field|address)|\brecipients?\b|personalizations\.\d+\.to", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a request brought no answer per recipient, and what follows for its copies."""

    state: State
    phase: Phase
    reason: str
    code: str = ""
    about_us: bool = False
    retry_after: int | None = None
    about_one_reader: bool = False

    def outcome(self, copy: Copy) -> Outcome:
        return Outcome(
            copy.delivery_id,
            self.state,
            self.phase,
            replies.clean(self.reason),
            self.code,
            about_us=self.about_us,
            retry_after=self.retry_after,
        )

    def not_handed(self, copy: Copy) -> Outcome:
        """The outcome of a copy that no request has carried, because this one failed before."""
        phase = Phase.CONNECT if self.phase is Phase.CONNECT else Phase.SESSION
        return Outcome(
            copy.delivery_id,
            "deferred",
            phase,
            replies.clean(self.reason),
            self.code,
            about_us=self.about_us,
            retry_after=self.retry_after,
        )


class EspTransport:
    """See `base.Transport`. After a failure of the provider itself the rest of a batch is deferred."""

    needs: Literal["payload", "merge"] = "merge"

    def __init__(self, *, backend: str, provider: str) -> None:
        self._provider = provider
        self._backend: Any = mail.get_connection(backend, ignore_recipient_status=True)
        self._watch = Watch()

    def open(self) -> None:
        """Nothing to prepare: each batch opens a session of its own.

        A connection kept over the pause between two batches may have been closed by the
        provider, and a request that meets this would be uncertain for no good reason.
        """

    def hand_over(self, copies: Sequence[Copy]) -> Iterator[Outcome]:
        """See `base.Transport.hand_over`."""
        refusals = {copy.delivery_id: _refusal(copy) for copy in copies}
        yield from filter(None, refusals.values())
        groups = self._groups([copy for copy in copies if not refusals[copy.delivery_id]])
        self._backend.open()
        try:
            if getattr(self._backend, "session", None) is not None:
                self._watch.watch(self._backend.session)
            yield from self._send_all(deque(groups))
        finally:
            self._backend.close()

    def close(self) -> None:
        """Nothing is kept open between batches."""

    def _groups(self, copies: Sequence[Copy]) -> list[list[Copy]]:
        """Copies that one request may carry: of one letter, and no address twice."""
        if self._provider not in esp_message.MERGE_FIELDS:
            return [[copy] for copy in copies]
        groups: list[tuple[int, set[str], list[Copy]]] = []
        for copy in copies:
            letter, address = id(copy.message), copy.recipient.lower()
            for same, addresses, group in groups:
                if same == letter and address not in addresses:
                    addresses.add(address)
                    group.append(copy)
                    break
            else:
                groups.append((letter, {address}, [copy]))
        return [group for _, _, group in groups]

    def _send_all(self, groups: deque[list[Copy]]) -> Iterator[Outcome]:
        while groups:
            group = groups.popleft()
            message, failure = self._send(group)
            if failure is None:
                said = {address.lower(): status for address, status in message.anymail_status.recipients.items()}
                yield from (_outcome(copy, said.get(copy.recipient.lower())) for copy in group)
            elif failure.about_one_reader and len(group) > 1:
                # The whole request was refused, so nobody got anything: look for the one in halves.
                middle = len(group) // 2
                groups.extendleft([group[middle:], group[:middle]])
            else:
                yield from map(failure.outcome, group)
                if not failure.about_one_reader:
                    yield from (failure.not_handed(copy) for rest in groups for copy in rest)
                    return

    def _send(self, group: Sequence[Copy]) -> tuple[AnymailMessage, _Failure | None]:
        letter = group[0].message
        assert letter is not None, "_refusal lets no copy through without its letter"  # noqa: S101  # for the types
        message = esp_message.build(group, letter, provider=self._provider)
        self._watch.reset()
        try:
            self._backend.send_messages([message])
        except AnymailInvalidAddress:
            reason = "The provider's rules do not allow this address."
            return message, _Failure("rejected", Phase.LOCAL, reason, about_one_reader=True)
        except AnymailError as error:
            return message, self._failure(error)
        return message, None

    def _failure(self, error: AnymailError) -> _Failure:
        response = getattr(error, "response", None)
        if response is not None:
            return _answered(response)
        if getattr(error, "payload", None) is None or getattr(self._backend, "session", None) is None:
            # Anymail could not even write the request: its settings or our message are wrong.
            reason = f"The request to the provider could not be made ({type(error).__name__})."
            return _Failure("deferred", Phase.LOCAL, reason, about_us=True)
        phase = self._watch.phase
        if phase is Phase.FINAL:
            return _Failure("uncertain", phase, "The provider did not answer; it may have taken the copy.")
        return _Failure("deferred", phase, "The provider could not be reached.")


def _answered(response: Any) -> _Failure:
    """What an HTTP error, or an answer that cannot be read, means."""
    status = int(response.status_code)
    text = str(response.text)[:1000]
    code, reason = str(status), f"The provider answered {status}: {text}"
    if status >= 500 or status < 400:
        return _Failure("uncertain", Phase.FINAL, reason, code)
    if status == 429:
        return _Failure("deferred", Phase.FINAL, reason, code, retry_after=_wait(response))
    if status == 408:
        return _Failure("deferred", Phase.BODY, reason, code)
    if status in {400, 406, 422} and _ABOUT_ONE_READER.search(text) and not re.search(r"\bfrom\b", text, re.IGNORECASE):
        return _Failure("rejected", Phase.FINAL, reason, code, about_one_reader=True)
    return _Failure("deferred", Phase.FINAL, reason, code, about_us=True)


def _wait(response: Any) -> int:
    value = str(response.headers.get("Retry-After", ""))
    return max(1, int(value)) if value.isdecimal() and len(value) < 7 else DEFAULT_WAIT_SECONDS


def _outcome(copy: Copy, status: AnymailRecipientStatus | None) -> Outcome:
    """What the provider said of this reader's copy."""
    word = "unknown" if status is None or status.status is None else status.status
    state = STATES.get(word, "uncertain")
    reason = "" if state == "accepted" else f"The provider called this copy {word}."
    remote_id = "" if status is None else str(status.message_id or "")
    return Outcome(copy.delivery_id, state, Phase.FINAL, reason, remote_id=remote_id.strip("<>")[:200])


def _refusal(copy: Copy) -> Outcome | None:
    """The outcome of a copy that no provider needs to be asked about, or None."""
    if copy.message is None:
        reason = "The copy was handed over without its letter."
        return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, reason, about_us=True)
    try:
        copy.message.check(copy.merge)
    except headers.UnsafeValue as error:
        return Outcome(copy.delivery_id, "rejected", Phase.LOCAL, replies.clean(str(error)))
    except segments.MissingSlot as error:
        return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, replies.clean(str(error)), about_us=True)
    return None
