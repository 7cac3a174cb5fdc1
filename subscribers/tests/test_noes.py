"""A database that went back in time: what readers ended is ended again before any mail leaves."""

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.utils import timezone

from core import locks
from mailkit import addresses
from subscribers import erasure, noes, noes_replay, preferences, signup, suppression, tasks
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription
from subscribers.tests.conftest import import_text
from tests.cast import BOB, RITA, confirmed, evidence

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    """Outside of the database: what no restore touches."""
    settings.CONSENT_HEADS = tmp_path
    return tmp_path / "noes"


class Backup:
    """The rows as they are now; `restore` brings them back, and the files stay as they are."""

    def __init__(self) -> None:
        self._savepoint = transaction.savepoint()

    def restore(self) -> None:
        transaction.savepoint_rollback(self._savepoint)
        self._savepoint = transaction.savepoint()


def leave(subscription: Subscription, *, minutes: int = 0) -> None:
    said_at = timezone.now() - timedelta(minutes=minutes)
    signup.unsubscribe(subscription=subscription, evidence=evidence(), reason="one_click", now=said_at)


def erase(key: str) -> None:
    erasure.erase(address_key=key, evidence=evidence(), actor=None, now=timezone.now())


def write() -> int:
    return noes.write(now=timezone.now())


def replay() -> tuple[int, int, int]:
    done = noes_replay.run(now=timezone.now())
    assert done is not None
    return done.erased, done.ended, done.tracking


def mailable() -> set[str]:
    rows = Subscription.objects.all().mailable(now=timezone.now())
    return set(rows.values_list("subscriber__address", flat=True))


def test_who_was_erased_or_left_since_the_backup_is_so_again(newsletter: Newsletter) -> None:
    rita, bob = confirmed(RITA, newsletter), confirmed(BOB, newsletter)
    confirmed("carla@reader.org", newsletter)
    preferences.choose_tracking(subscriber=bob.subscriber, agrees=True, evidence=evidence(), now=timezone.now())
    backup = Backup()
    erase(RITA)
    preferences.choose_tracking(subscriber=bob.subscriber, agrees=False, evidence=evidence(), now=timezone.now())
    leave(bob)
    assert write() == 3
    assert write() == 0
    backup.restore()
    assert mailable() == {RITA, BOB, "carla@reader.org"}

    assert replay() == (1, 1, 1)

    assert mailable() == {"carla@reader.org"}
    assert not Subscriber.objects.filter(uuid=rita.subscriber.uuid).exists()
    assert suppression.is_suppressed(RITA)
    assert not Subscriber.objects.get(address=BOB).tracking_consent
    assert not noes.is_behind()
    assert replay() == (0, 0, 0)
    event = ConsentEvent.objects.filter(kind="withdrawn").latest("pk")
    assert (event.source, event.basis[:10]) == ("restored", "said at 20")


def test_the_clock_does_it_by_itself_before_a_letter_leaves(
    newsletter: Newsletter, django_capture_on_commit_callbacks: Any
) -> None:
    rita = confirmed(RITA, newsletter)
    backup = Backup()
    with django_capture_on_commit_callbacks(execute=True):
        erase(RITA)
    noes.write_noes()
    backup.restore()
    assert rita.subscriber.letters.filter(state="pending").exists()
    mail.outbox.clear()
    tasks.tick()
    assert not Subscriber.objects.exists()
    assert not mail.outbox


@pytest.mark.parametrize("task", ["one letter", "the sweep"])
def test_nothing_leaves_while_another_process_repeats_it(newsletter: Newsletter, task: str) -> None:
    rita = confirmed(RITA, newsletter)
    backup = Backup()
    erase(RITA)
    write()
    backup.restore()
    mail.outbox.clear()
    with contextlib.closing(connections.create_connection("default")) as elsewhere:
        with elsewhere.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [locks.key(noes_replay.REPLAY_LOCK)])
        if task == "the sweep":
            tasks.sweep_letters()
        else:
            tasks.send_letter(rita.subscriber.letters.latest("pk").pk)
    assert not mail.outbox


def test_a_yes_after_the_no_holds(newsletter: Newsletter, product: Newsletter) -> None:
    for address in (RITA, BOB):
        confirmed(address, newsletter)
        confirmed(address, product)
    backup = Backup()
    erase(RITA)
    leave(newsletter.subscriptions.get(subscriber__address=BOB))
    write()
    backup.restore()
    later = timezone.now() + timedelta(minutes=1)
    for row in newsletter.subscriptions.all():
        leave(row)
        confirmed(row.subscriber.address, newsletter, now=later)
    assert replay() == (0, 0, 0)
    assert mailable() == {RITA, BOB}
    assert Subscription.objects.confirmed().count() == 4


def test_an_address_that_was_changed_since_is_erased_by_the_person(newsletter: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    backup = Backup()
    new = addresses.normalise("rita@new.org")
    Subscriber.objects.filter(pk=rita.subscriber.pk).update(
        address=new.address, address_key=new.key, address_hash=addresses.keyed_hash(new.key)
    )
    erase(new.key)
    write()
    backup.restore()
    assert replay()[0] == 1
    assert not Subscriber.objects.exists()
    assert suppression.is_suppressed(RITA)
    assert suppression.is_suppressed(new.key)


def test_a_no_from_an_imported_list_is_kept_too(newsletter: Newsletter) -> None:
    backup = Backup()
    import_text(f"email,unsubscribed\n{RITA},yes\n", newsletter)
    erase("stranger@reader.org")
    write()
    backup.restore()
    replay()
    report = import_text(f"email\n{RITA}\nstranger@reader.org\n{BOB}\n", newsletter)
    assert (report.imported, len(report.refused)) == (1, 2)
    count = ConsentEvent.objects.count()
    backup.restore()
    replay()
    import_text(f"email\n{BOB}\n", newsletter)
    assert ConsentEvent.objects.count() == count, "a second restore repeats each once"


def test_noes_after_a_restore_are_kept_as_well_and_survive_the_next(newsletter: Newsletter) -> None:
    rita, bob = confirmed(RITA, newsletter), confirmed(BOB, newsletter)
    backup = Backup()
    leave(rita)
    write()
    backup.restore()
    leave(bob)
    assert write() == 0, "not before what was forgotten is repeated"
    assert replay()[1] == 1
    backup.restore()
    assert replay()[1] == 2
    assert mailable() == set()


def test_a_line_that_somebody_else_wrote_ends_nothing(newsletter: Newsletter, folder: Path) -> None:
    confirmed(RITA, newsletter)
    bob = confirmed(BOB, newsletter)
    backup = Backup()
    leave(bob)
    write()
    backup.restore()
    (file,) = folder.iterdir()
    line = file.read_text()
    forged = line.replace(addresses.keyed_hash(BOB), addresses.keyed_hash(RITA))
    file.write_text(forged + line + line[:40])
    assert replay() == (0, 1, 0)
    assert mailable() == {RITA}
    assert noes.damaged() == 1


def test_the_command_for_restores_says_what_it_repeated(
    newsletter: Newsletter, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    rita = confirmed(RITA, newsletter)
    backup = Backup()
    leave(rita)
    write()
    backup.restore()
    call_command("after_restore")
    assert "0 readers are erased again, 1 subscriptions are ended again" in capsys.readouterr().out
    assert mailable() == set()


def test_without_the_journal_the_command_refuses_and_mail_leaves(
    newsletter: Newsletter, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir(parents=True)
    (folder / "host.jsonl").mkdir()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("after_restore")
    assert noes_replay.is_done(now=timezone.now())
    assert "cannot be read" in caplog.text
    assert write() == 0
