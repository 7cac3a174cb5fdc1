"""The end of the record cannot vanish unseen: its heads are kept where the database cannot reach."""

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from subscribers import consent, consent_heads, tasks, verification
from subscribers.models import ConsentEvent, ConsentOrigin, Newsletter, Subscription
from subscribers.tests.test_consent_chain import an_intruder
from tests.cast import BOB, RITA, ask, confirmed
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """Where heads are kept."""
    settings.CONSENT_HEADS = tmp_path / "heads"
    return tmp_path / "heads"


@pytest.fixture
def anchored(newsletter: Newsletter, folder: Path) -> list[ConsentEvent]:
    """Four acts, with a head after the second and one after the fourth."""
    for address in (RITA, BOB):
        confirmed(address, newsletter)
        consent_heads.anchor(now=timezone.now())
    return list(ConsentEvent.objects.order_by("pk"))


def cut(*, after: int) -> None:
    """Remove the events behind the first `after`, as somebody who owns the database may."""
    gone = list(ConsentEvent.objects.order_by("pk").values_list("pk", flat=True)[after:])
    with an_intruder():
        Subscription.objects.update(state="unsubscribed", consent_event=None)
        ConsentOrigin.objects.filter(event__in=gone).delete()
        ConsentEvent.objects.filter(pk__in=gone).order_by("pk")._raw_delete("default")


def lines(folder: Path) -> list[bytes]:
    return next(folder.glob("*.jsonl")).read_bytes().splitlines(keepends=True)


def test_a_head_is_kept_when_the_record_grew_and_only_then(newsletter: Newsletter, folder: Path) -> None:
    assert consent_heads.anchor(now=timezone.now()) is None
    confirmed(RITA, newsletter)
    tasks.tick()
    tasks.tick()
    ask(BOB, newsletter)
    tasks.tick()

    assert [json.loads(line)["count"] for line in lines(folder)] == [2, 3]
    assert json.loads(lines(folder)[-1])["head"] == consent.head()[1]
    assert verification.verify().faults == []


@rows(("after", "lost"), [(3, "at least the last 1"), (1, "at least the last 3"), (0, "all of them")])
def test_the_loss_of_the_end_is_named(anchored: list[ConsentEvent], after: int, lost: str) -> None:
    cut(after=after)

    (fault,) = verification.verify().faults
    assert f"had 4 events; it has {after} now: {lost} are gone" in fault
    with pytest.raises(CommandError, match=lost):
        call_command("verify_consent", stdout=StringIO())


def test_the_clock_does_not_write_over_a_loss(
    anchored: list[ConsentEvent], folder: Path, newsletter: Newsletter, caplog: pytest.LogCaptureFixture
) -> None:
    before = lines(folder)
    cut(after=2)
    ask("dora@fourth.org", newsletter)

    assert consent_heads.anchor(now=timezone.now()) is None
    assert lines(folder) == before
    assert "has lost events" in caplog.text
    assert verification.verify().faults


def test_an_end_that_was_written_anew_is_found(anchored: list[ConsentEvent], newsletter: Newsletter) -> None:
    cut(after=2)
    for address in ("dora@fourth.org", "eve@fifth.org", "fay@sixth.org"):
        ask(address, newsletter)

    (fault,) = verification.verify().faults
    assert "had another event 4: it was written again since" in fault


def test_an_expected_head_is_looked_for(newsletter: Newsletter, folder: Path) -> None:
    confirmed(RITA, newsletter)
    count, head = consent.head()
    ask(BOB, newsletter)
    out = StringIO()
    call_command("verify_consent", expect_head=[f"{count}:{head}", head], stdout=out)
    assert f"Head: 3:{consent.head()[1]}" in out.getvalue()

    for wrong in (f"{count + 1}:{head}", "f" * 64, f"500:{'f' * 64}"):
        with pytest.raises(CommandError, match="According to the expected head"):
            call_command("verify_consent", expect_head=[wrong], stdout=StringIO())


def test_without_any_head_nobody_says_that_the_end_is_there(newsletter: Newsletter, folder: Path) -> None:
    confirmed(RITA, newsletter)
    out = StringIO()
    call_command("verify_consent", stdout=out)

    assert "nobody can tell whether events are missing from its end" in out.getvalue()


@pytest.mark.parametrize("change", ['"count": 4', '"head": "'])
def test_a_changed_line_is_found(anchored: list[ConsentEvent], folder: Path, change: str) -> None:
    path = next(folder.glob("*.jsonl"))
    path.write_text(path.read_text().replace(change, change.replace("4", "2").replace('"head": "', '"head": "0')))

    (fault, *_) = verification.verify().faults
    assert "Line 2" in fault or "Line 1" in fault
    assert "is not as it was written" in fault


def test_a_removed_line_is_found(anchored: list[ConsentEvent], folder: Path) -> None:
    next(folder.glob("*.jsonl")).write_bytes(lines(folder)[1])

    assert "is not as it was written" in verification.verify().faults[0]


def test_a_line_that_a_crash_cut_off_is_left_out_and_written_over(
    anchored: list[ConsentEvent], folder: Path, newsletter: Newsletter
) -> None:
    path = next(folder.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"at": "2026-')
    assert verification.verify().faults == []

    ask("dora@fourth.org", newsletter)
    consent_heads.anchor(now=timezone.now())
    assert [json.loads(line)["count"] for line in lines(folder)] == [2, 4, 5]
    assert verification.verify().faults == []


def test_heads_that_were_deleted_are_missed_until_they_are_back_or_a_person_accepts_it(
    anchored: list[ConsentEvent], folder: Path, newsletter: Newsletter, caplog: pytest.LogCaptureFixture
) -> None:
    path, whole = next(folder.glob("*.jsonl")), lines(folder)
    cut_off = path.parent / "cut-off"
    for damage in (path.unlink, lambda: path.rename(cut_off), lambda: path.write_bytes(whole[0])):
        damage()
        ask(f"reader-{ConsentEvent.objects.count()}@fourth.org", newsletter)
        tasks.tick()

        with pytest.raises(CommandError, match=r"(?s)4 events\) was written.*Put the directory back.*--accept-loss"):
            call_command("verify_consent", stdout=StringIO())
        assert "does not have it" in caplog.text
        path.write_bytes(b"".join(whole))
        assert verification.verify().faults == []
    shutil.rmtree(folder)
    call_command("verify_consent", accept_loss="the disk of the heads broke", stdout=StringIO())

    ask("dora@fourth.org", newsletter)
    assert consent_heads.anchor(now=timezone.now()) is not None
    report = verification.verify()
    assert report.faults == []
    assert "the disk of the heads broke" in report.remarks[0]


def test_heads_of_every_host_count(anchored: list[ConsentEvent], folder: Path) -> None:
    next(folder.glob("*.jsonl")).rename(folder / "another-host.jsonl")
    cut(after=1)

    assert verification.verify().faults


def test_the_key_of_a_head_can_be_changed(
    anchored: list[ConsentEvent], settings: Settings, newsletter: Newsletter
) -> None:
    settings.CONSENT_KEY_FALLBACKS = [settings.CONSENT_KEY]
    settings.CONSENT_KEY = "the next key of forty characters or more"
    ask("dora@fourth.org", newsletter)
    consent_heads.anchor(now=timezone.now())

    assert verification.verify().faults == []


def test_a_restored_backup_is_accepted_by_a_person_with_a_reason(
    anchored: list[ConsentEvent], newsletter: Newsletter
) -> None:
    cut(after=2)
    out = StringIO()
    call_command("verify_consent", accept_loss="the backup of Tuesday", stdout=out)
    assert "asked for its first 2 events" in out.getvalue()
    assert "somebody accepted a loss: the backup of Tuesday" in out.getvalue()

    ask("dora@fourth.org", newsletter)
    assert consent_heads.anchor(now=timezone.now()) is not None
    assert verification.verify().faults == []
    cut(after=2)
    assert verification.verify().faults


def test_a_place_that_cannot_be_written_stops_nothing_else(
    newsletter: Newsletter, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no directory")
    settings.CONSENT_HEADS = tmp_path / "file"
    confirmed(RITA, newsletter)
    tasks.tick()

    assert "cannot be kept in CONSENT_HEADS" in caplog.text


def test_a_head_at_the_wrong_place_is_found_also_where_it_is_kept(anchored: list[ConsentEvent]) -> None:
    assert verification.verify(expected=[f"3:{anchored[-1].hash}"]).faults
    assert not verification.verify(expected=[f"4:{anchored[-1].hash}"]).faults


def test_a_loss_that_was_accepted_on_one_host_is_accepted_on_all(
    anchored: list[ConsentEvent], folder: Path, newsletter: Newsletter
) -> None:
    own = next(folder.glob("*.jsonl"))
    before = own.read_bytes()
    cut(after=2)
    consent_heads.accept_loss(note="the backup of Tuesday", now=timezone.now())
    own.rename(folder / "another-host.jsonl")
    own.write_bytes(before)
    ask("dora@fourth.org", newsletter)

    head = consent_heads.anchor(now=timezone.now())
    assert head is not None
    assert head.count == 3
    assert verification.verify().faults == []
