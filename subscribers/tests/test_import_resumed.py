"""An import that is killed goes on where it was, and how it is divided changes nothing."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, import_checkpoint, import_reading, imports, signup
from subscribers.import_report import Report
from subscribers.models import (
    ConsentEvent,
    ImportCheckpoint,
    Letter,
    Newsletter,
    Subscriber,
    Subscription,
    Suppression,
)
from tests.cast import RITA, confirmed, evidence, make_newsletter, make_texts

pytestmark = pytest.mark.django_db(transaction=True)
SEED = 11


@pytest.fixture
def newsletter(transactional_db: None) -> Newsletter:
    """Tech News, committed, with Rita who left."""
    make_texts()
    newsletter = make_newsletter()
    signup.unsubscribe(
        subscription=confirmed(RITA, newsletter), evidence=evidence(), reason="test", now=timezone.now()
    )  # fmt: skip
    return newsletter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A list of all sorts: said yes, said no, there twice, first one and then the other, unreadable."""
    people = [f"r{number}@reader.org" for number in range(36)]
    lines = [f"{address},subscribed,Name {number}" for number, address in enumerate(people)]
    lines += [f"{address.upper()},subscribed,Again" for address in people[::5]]
    lines += [f"{address},unsubscribed," for address in people[3::8]]
    lines += [f"{address},complained," for address in people[3::16]]
    lines += [f"{RITA},subscribed,", 'r7@reader.org,subscribed,"open', "nonsense,subscribed,", "x@y,cleaned,"]
    random.Random(SEED).shuffle(lines)
    path = tmp_path / "readers.csv"
    path.write_text("email,status,name\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def bring_in(path: Path, newsletter: Newsletter, *, basis: str = "A fair", **options: Any) -> Report:
    plan = imports.plan(newsletter=newsletter, cadence="daily", basis=basis)
    return imports.run(
        source=imports.open_source(path=path), plan=plan, actor=None, now=timezone.now(), **options
    )  # fmt: skip


def stored() -> dict[str, Any]:
    """Everything that an import stores, without numbers, uuids and times, which differ in each run."""
    return {
        "readers": sorted(Subscriber.objects.values_list("address", "address_key", "address_hash", "name", "language")),
        "subscriptions": sorted(
            Subscription.objects.values_list(
                "subscriber__address", "newsletter", "cadence", "state", "consent_event__basis", "consent_event__kind"
            ),
            key=str,
        ),
        "events": sorted(ConsentEvent.objects.values_list("kind", "address_hash", "basis", "source", "cadence")),
        "suppressions": sorted(Suppression.objects.values_list("address_hash", "reason")),
        "letters": sorted(Letter.objects.values_list("kind", "subscriber__address", "state")),
    }


def numbers(report: Report) -> tuple[Any, ...]:
    return (report.imported, report.already_there, report.unconfirmed, report.said_no, report.lines, report.refused)


@contextmanager
def undone() -> Iterator[None]:
    """A time that leaves no trace."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("basis", ["A fair", ""])
def test_the_size_of_the_portions_changes_nothing(
    newsletter: Newsletter, path: Path, monkeypatch: pytest.MonkeyPatch, basis: str
) -> None:
    results = []
    for size in (2, 10_000):
        monkeypatch.setattr(import_reading, "PORTION", size)
        monkeypatch.setattr(import_reading, "LOOKED_THROUGH", 3 * size)
        looked = bring_in(path, newsletter, basis=basis, dry_run=True)
        with undone():
            report = bring_in(path, newsletter, basis=basis)
            results.append((numbers(looked), numbers(report), stored()))
            assert consent.verify() is None
            again = bring_in(path, newsletter, basis=basis)
            assert again.imported == 0
            assert stored() == results[-1][2], "the second time changes nothing"

    assert results[0] == results[1]
    assert results[0][0] == results[0][1], "a dry run counts what the run does"
    assert results[0][1][4] == len(path.read_text(encoding="utf-8").splitlines()) - 1, "every record is in one bucket"
    assert not ImportCheckpoint.objects.exists()


def test_an_import_that_is_killed_again_and_again_ends_like_one_that_is_not(
    newsletter: Newsletter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_reading, "PORTION", 2)
    with undone():
        undisturbed = numbers(bring_in(path, newsletter)), stored()
    chance = random.Random()
    for _ in range(4):
        assert _killed(path, newsletter, portions=chance.randrange(1, 4), pause=chance.random() / 100)
    report = bring_in(path, newsletter)

    assert report.resumed, "it went on"
    assert (numbers(report), stored()) == undisturbed
    assert consent.verify() is None
    assert not ImportCheckpoint.objects.exists(), "done"


def _killed(path: Path, newsletter: Newsletter, *, portions: int, pause: float) -> bool:
    """A process of its own imports and gets kill -9 after some portions; False if it ended before."""
    reading, writing = os.pipe()
    connection.close()
    child = os.fork()
    if child == 0:
        bring_in(path, newsletter, on_progress=lambda _: os.write(writing, b".") and None)
        os._exit(0)
    os.close(writing)
    for _ in range(portions):
        os.read(reading, 1)
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    os.close(reading)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_another_list_and_another_newsletter_begin_at_their_first_record(newsletter: Newsletter, path: Path) -> None:
    def stop(_: Report) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(path, newsletter, on_progress=stop)
    weekly = imports.plan(newsletter=newsletter, cadence="weekly", basis="A fair")
    report = imports.run(source=imports.open_source(path=path), plan=weekly, actor=None, now=timezone.now())
    assert not report.resumed
    assert bring_in(path, newsletter).resumed


def test_a_checkpoint_names_nobody_and_is_not_kept_for_ever(newsletter: Newsletter, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text(f"email\nnonsense\n{addresses.normalise('anna@reader.org').key}\n", encoding="utf-8")

    def stop(_: Report) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(path, newsletter, on_progress=stop)
    now = timezone.now()
    assert import_checkpoint.forget(now=now) == 0
    assert import_checkpoint.forget(now=now + 2 * import_checkpoint.KEEP) > 0
    assert not ImportCheckpoint.objects.exists()
