"""Copies become .eml files: for a laptop, where /inbox/ shows them."""

from collections.abc import Iterator, Sequence

from django.utils import timezone

from mailkit import local, message
from postal.transports.base import Copy, Held, More, Needs, Outcome, Phase, always, asleep, nothing_more


class LocalTransport:
    """See `base.Transport`. A file appears whole or not at all, so no outcome is uncertain."""

    needs: Needs = "payload"

    def open(self) -> None:
        """Nothing to prepare."""

    def hand_over(
        self, copies: Sequence[Copy], *, more: More = nothing_more, is_held: Held = always
    ) -> Iterator[Outcome]:
        """See `base.Transport.hand_over`. A disk that refuses is about us: the copy is deferred."""
        for copy in copies:
            if not is_held():
                yield asleep(copy)
                continue
            try:
                path = local.write(
                    copy.payload or b"",
                    envelope_from=copy.envelope_from,
                    recipient=copy.recipient,
                    now=timezone.now(),
                )
            except OSError as error:
                reason = f"The mail could not be written to a file ({error.strerror or 'unknown'})."
                yield Outcome(copy.delivery_id, "deferred", Phase.LOCAL, reason, about_us=True)
            except message.UnsafeHeaderText as error:
                yield Outcome(copy.delivery_id, "rejected", Phase.LOCAL, str(error)[:200])
            else:
                yield Outcome(copy.delivery_id, "accepted", Phase.LOCAL, remote_id=path.stem)

    def close(self) -> None:
        """Nothing to part from."""
