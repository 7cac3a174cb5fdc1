"""What one process knows of the changes of public pages since it began to look (decision 0140)."""

from collections.abc import Iterable
from typing import Final

from publication import page_versions

# After a change of more tags than this, and when as many are known, it is cheaper to make everything again.
MOST_TAGS: Final = 20_000


class KnownChanges:
    """The epoch, -1 before the first look, and the numbers of the tags that were raised. Threads share it.

    `learn` is for one thread at a time; the others may read meanwhile.
    """

    def __init__(self) -> None:
        self.epoch = -1
        self._numbers: dict[str, int] = {}
        # Of what is of an earlier epoch nothing is known.
        self._floor = 0

    def learn(self) -> bool:
        """Look into the database. False: all that was made until now is in doubt.

        The database was restored to an earlier epoch, very much has changed, or this was the first look.
        """
        if self.epoch < 0:
            return self._forget(page_versions.epoch())
        changes = page_versions.since(self.epoch, most=MOST_TAGS)
        if changes.epoch < self.epoch or len(changes.numbers) + len(self._numbers) > MOST_TAGS:
            return self._forget(changes.epoch)
        # The numbers first: nothing is noted as right in an epoch whose changes are not known.
        self._numbers.update(changes.numbers)
        self.epoch = changes.epoch
        return True

    def has_changed(self, tags: Iterable[str], *, since: int) -> bool:
        """Whether one of these tags was raised after that epoch, or nothing is known of that time."""
        numbers = self._numbers
        return since < self._floor or any(numbers.get(tag, 0) > since for tag in tags)

    def _forget(self, epoch: int) -> bool:
        self._floor = epoch
        self._numbers = {}
        self.epoch = epoch
        return False
