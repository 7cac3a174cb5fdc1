"""Copies become .eml files: for a laptop, where /inbox/ shows them."""

from collections.abc import Sequence

from django.conf import settings
from django.utils import timezone

from mailkit import local_mail, message
from postal.leases import Lease
from postal.transports.base import Copy, Needs, Outcome, Phase, asleep


class LocalTransport:
    """See `base.Transport`. A file appears whole or not at all, so no outcome is uncertain."""

    needs: Needs = "payload"

    def __init__(self, *, lease: Lease) -> None:
        self._lease = lease
        self._known: list[Outcome] = []

    def ready(self) -> int:
        """See `base.Transport.ready`. A folder takes any number."""
        return settings.SENDING.copies_in_flight

    def submit(self, copies: Sequence[Copy]) -> None:
        """See `base.Transport.submit`. The files are written at once."""
        self._known += [self._write(copy) if self._lease.is_held else asleep(copy) for copy in copies]

    def results(self, timeout: float) -> list[Outcome]:
        """See `base.Transport.results`."""
        outcomes, self._known = self._known, []
        return outcomes

    def close(self) -> None:
        """There is no connection to close."""

    def _write(self, copy: Copy) -> Outcome:
        """The outcome of one copy. A disk that refuses is about us: the copy is deferred."""
        payload = copy.payload or b""
        try:
            path = local_mail.write(
                payload, envelope_from=copy.envelope_from, recipient=copy.recipient, now=timezone.now()
            )
        except OSError as error:
            reason = f"The mail could not be written to a file ({error.strerror or 'unknown'})."
            return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, reason, about_us=True)
        except message.UnsafeHeaderText as error:
            return Outcome(copy.delivery_id, "rejected", Phase.LOCAL, str(error)[:200])
        return Outcome(copy.delivery_id, "accepted", Phase.LOCAL, remote_id=path.stem)
