"""One kept connection to a provider: a request at a time, and what its end means for the copies in it."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailInvalidAddress
from anymail.message import AnymailMessage
from django.core import mail

from mailkit.segments import CompiledMessage
from postal import providers, replies
from postal.transports import esp_message
from postal.transports.base import Copy, Outcome, Phase, State
from postal.transports.http_phase import Watch

# A connection that was idle for longer may have been closed by the provider, and a request that meets
# this would be uncertain for no good reason. Servers wait two seconds at least (gunicorn), mostly 60.
IDLE_SECONDS: Final = 1.0
# Without a Retry-After that can be read (RFC 9110 10.2.3).
DEFAULT_WAIT_SECONDS: Final = 60
# How long until each repeat of a request whose end is not known.
REPEAT_AFTER_SECONDS: Final = (0.5, 5.0)
# Mailgun "'to' parameter is not a valid address", SendGrid "personalizations.0.to.0.email",
# Postmark "Invalid 'To' address", "inactive recipients", Resend "Invalid `to` field".
_ABOUT_ONE_READER = re.compile(
    r"\bto\b[`'\"]?\s*(?:parameter|field|address)|\brecipients?\b|personalizations\.\d+\.to", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Failure:
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


class Connection:
    """Sends one request after the other. For one thread at a time."""

    def __init__(self, *, backend: str, provider: str) -> None:
        self._provider = provider
        self._key = providers.sending(provider).idempotency_header
        self._backend: Any = mail.get_connection(backend, ignore_recipient_status=True)
        self._watch = Watch()
        self._idle_since = 0.0

    def close(self) -> None:
        self._backend.close()

    def send(
        self, copies: Sequence[Copy], letter: CompiledMessage, *, give_up_at: float
    ) -> tuple[AnymailMessage, Failure | None]:
        """Send one request for all `copies`; after, the message has the provider's answer, or there is a failure.

        A request whose end is not known is repeated only where the provider promises to take it once, and
        not after `give_up_at` (of time.monotonic). It stays uncertain unless a repeat is accepted.
        """
        message = esp_message.build(copies, letter, provider=self._provider)
        failure = self._post(message, copies[0])
        if failure is None or failure.state != "uncertain" or not self._key:
            return message, failure
        for seconds in REPEAT_AFTER_SECONDS:
            if time.monotonic() + seconds > give_up_at:
                break
            time.sleep(seconds)
            if self._post(message, copies[0]) is None:
                return message, None
        return message, failure

    def _post(self, message: AnymailMessage, first: Copy) -> Failure | None:
        self._open(first)
        self._watch.reset()
        try:
            self._backend.send_messages([message])
        except AnymailInvalidAddress:
            reason = "The provider's rules do not allow this address."
            return Failure("rejected", Phase.LOCAL, reason, about_one_reader=True)
        except AnymailError as error:
            failure = self._failure(error)
            self._backend.close()
            return failure
        finally:
            self._idle_since = time.monotonic()
        return None

    def _open(self, first: Copy) -> None:
        """Have a session whose connection is fresh, or was used a moment ago."""
        if time.monotonic() - self._idle_since > IDLE_SECONDS:
            self._backend.close()
        if self._backend.open() and getattr(self._backend, "session", None) is not None:
            self._watch.watch(self._backend.session, url=self._backend.api_url)
        if self._key:
            self._backend.session.headers[self._key] = first.delivery_uuid

    def _failure(self, error: AnymailError) -> Failure:
        response = getattr(error, "response", None)
        if response is not None:
            return _answered(response, keyed=bool(self._key))
        if not isinstance(error, AnymailAPIError) or getattr(self._backend, "session", None) is None:
            # Anymail could not even write the request: its settings or our message are wrong.
            reason = f"The request to the provider could not be made ({type(error).__name__})."
            return Failure("deferred", Phase.LOCAL, reason, about_us=True)
        phase = self._watch.phase
        if phase is Phase.FINAL:
            return Failure("uncertain", phase, "The provider did not answer; it may have taken the copy.")
        return Failure("deferred", phase, "The provider could not be reached.")


def _answered(response: Any, *, keyed: bool) -> Failure:
    """What an HTTP error, or an answer that cannot be read, means."""
    status = int(response.status_code)
    text = str(response.text)[:1000]
    code, reason = str(status), f"The provider answered {status}: {text}"
    if status >= 500 or status < 400:
        return Failure("uncertain", Phase.FINAL, reason, code)
    if status == 409 and keyed:
        # The key is known: from a request that is still at work, or from one with another date in its links.
        return Failure("uncertain", Phase.FINAL, reason, code)
    if status == 429:
        return Failure("deferred", Phase.FINAL, reason, code, retry_after=_wait(response))
    if status == 408:
        return Failure("deferred", Phase.BODY, reason, code)
    if status in {400, 406, 422} and _ABOUT_ONE_READER.search(text) and not re.search(r"\bfrom\b", text, re.IGNORECASE):
        return Failure("rejected", Phase.FINAL, reason, code, about_one_reader=True)
    return Failure("deferred", Phase.FINAL, reason, code, about_us=True)


def _wait(response: Any) -> int:
    value = str(response.headers.get("Retry-After", ""))
    return max(1, int(value)) if value.isdecimal() and len(value) < 7 else DEFAULT_WAIT_SECONDS
