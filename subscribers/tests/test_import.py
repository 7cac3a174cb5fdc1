"""Imports: provenance, a reason for every refused row, and nobody brought back."""

import csv
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, erasure, import_reading, imports, signup, suppression
from subscribers.import_report import Report
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription, Suppression
from subscribers.tests.conftest import import_text as run
from tests.cast import BOB, RITA, ask, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db

BASIS = "A paper form"


def reasons(report: Report) -> list[tuple[int, str]]:
    return [(refused.line, refused.reason) for refused in report.refused]


def test_with_a_basis_people_are_confirmed_and_the_record_says_why(newsletter: Newsletter) -> None:
    report = run(f"email,name\n{RITA},Rita\n{BOB},\n", newsletter)

    assert (report.imported, report.already_there, report.refused) == (2, 0, [])
    rita = Subscription.objects.get(subscriber__address=RITA)
    assert (rita.state, rita.cadence, rita.subscriber.name) == ("confirmed", "weekly", "Rita")
    assert rita.consent_event is not None
    assert (rita.consent_event.kind, rita.consent_event.basis) == ("imported", BASIS)
    assert Subscription.objects.mailable(now=timezone.now()).count() == 2
    assert not Letter.objects.exists()
    assert consent.verify() is None


@rows("name", [r"C:\new\Rita", r"\N", "100 % Рита", "O'Hara"])
def test_a_name_is_stored_as_it_is_written(newsletter: Newsletter, name: str) -> None:
    run(f"email,name\n{RITA},{name}\n", newsletter)

    assert Subscriber.objects.get().name == name


def test_without_a_basis_people_are_asked_once_somebody_says_so(newsletter: Newsletter) -> None:
    run(f"email\n{RITA}\n", newsletter, basis="")

    rita = Subscription.objects.get()
    assert (rita.state, rita.consent_event) == ("pending", None)
    letter = Letter.objects.get(kind=Letter.Kind.PERMISSION)
    assert (letter.state, list(letter.subscriptions.all())) == ("held", [rita])
    assert ConsentEvent.objects.get().kind == "imported"


def test_an_import_can_be_repeated(newsletter: Newsletter) -> None:
    text = f"email\n{RITA}\n{RITA.upper()}\n{BOB}\n"
    run(text, newsletter, basis="")
    report = run(text, newsletter, basis="")

    assert (report.imported, report.already_there) == (0, 3)
    assert Subscriber.objects.count() == ConsentEvent.objects.count() == Letter.objects.count() == 2


def test_people_asked_for_permission_are_not_forgotten_and_asked_again(newsletter: Newsletter) -> None:
    run(f"email\n{RITA}\n", newsletter, basis="")
    erasure.forget_unconfirmed(now=timezone.now() + timedelta(days=30))
    run(f"email\n{RITA}\n", newsletter, basis="")

    assert Letter.objects.count() == 1


def test_nobody_who_left_is_brought_back(newsletter: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())
    report = run(f"email\n{RITA}\n", newsletter)
    rita.refresh_from_db()

    assert reasons(report) == [(2, imports.LEFT)]
    assert rita.state == "unsubscribed"


def test_a_strangers_request_does_not_open_the_way_back(newsletter: Newsletter) -> None:
    rita = confirmed(RITA, newsletter)
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())
    ask(RITA, newsletter)
    report = run(f"email\n{RITA}\n", newsletter)

    assert reasons(report) == [(2, imports.LEFT)]


@rows("reason", list(Suppression.Reason))
def test_nobody_suppressed_or_erased_is_brought_back(newsletter: Newsletter, reason: Suppression.Reason) -> None:
    suppression.suppress(address_key=addresses.normalise(RITA).key, reason=reason, actor=None, now=timezone.now())
    report = run(f"email\n{RITA}\n{BOB}\n", newsletter)

    assert reasons(report) == [(2, imports.SUPPRESSED)]
    assert Subscriber.objects.get().address == BOB


def test_a_pending_request_is_left_as_it_is(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)
    report = run(f"email\n{RITA}\n", newsletter)

    assert report.already_there == 1
    assert Subscription.objects.get().state == "pending"


def test_every_refused_row_has_its_line_and_a_sentence(newsletter: Newsletter) -> None:
    text = (
        f'name,e-mail\nRita,{RITA}\nno address\nX,not-an-address\n\nY,"{BOB}\nBad\x0bName,carol@third.org\n'
        f"Z,rita@[127.0.0.1]\nLong,{'x' * 20_000}@reader.org\nLast,dora@fourth.org\n"
    )
    report = run(text, newsletter)

    assert report.imported == 2
    assert [line for line, _ in reasons(report)] == [3, 4, 6, 7, 8, 9]
    assert all(reason.endswith(".") and "@reader" not in reason for _, reason in reasons(report))
    assert set(Subscriber.objects.values_list("address", flat=True)) == {RITA, "dora@fourth.org"}


@rows(
    "text",
    [
        f"\ufeffEmail\n{RITA}\n".removeprefix("\ufeff"),
        f"{RITA}\n",
        f"name;email\nRita;{RITA}\n",
        f"name\temail\nRita\t{RITA}\n",
        f'"E-Mail Address"\r\n"{RITA}"\r\n',
    ],
)
def test_common_kinds_of_files_are_understood(newsletter: Newsletter, text: str) -> None:
    assert run(text, newsletter).imported == 1


@rows("text", ["", "first,second\n1,2\n", "\n"])
def test_a_file_without_addresses_is_refused_whole(newsletter: Newsletter, text: str) -> None:
    with pytest.raises(imports.ImportRefused):
        run(text, newsletter)


def test_a_dry_run_keeps_nothing(newsletter: Newsletter) -> None:
    assert run(f"email\n{RITA}\n", newsletter, dry_run=True).imported == 1
    assert not Subscriber.objects.exists()
    assert not ConsentEvent.objects.exists()


def test_work_does_not_grow_faster_than_chunks(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: object
) -> None:
    monkeypatch.setattr(import_reading, "PORTION", 50)
    text = "email\n" + "".join(f"r{number}@d{number}.org\n" for number in range(100))
    with django_assert_max_num_queries(2 * 14 + 1):  # type: ignore[operator]  # pytest-django's fixture
        run(text, newsletter)
    assert consent.verify() is None


def test_the_command_imports_and_reports(newsletter: Newsletter, tmp_path: Path) -> None:
    source, report, out = tmp_path / "readers.csv", tmp_path / "refused.csv", StringIO()
    source.write_text(f"email\n{RITA}\nnonsense\n", encoding="utf-8-sig")
    call_command(
        "import_subscribers", str(source), newsletter="tech-news", cadence="daily", basis=BASIS, report=report,
        stdout=out, stderr=StringIO(),
    )  # fmt: skip

    assert "1 imported (confirmed), 0 there already, 1 refused." in out.getvalue()
    assert list(csv.reader(report.read_text().splitlines()))[1][0] == "3"
    assert RITA not in out.getvalue()


def test_without_a_cadence_new_readers_get_the_default_and_nobody_else_is_moved(
    newsletter: Newsletter, rita: Subscription, tmp_path: Path
) -> None:
    Newsletter.objects.update(default_cadence="instant")
    source = tmp_path / "readers.csv"
    source.write_text(f"email\n{RITA}\n{BOB}\n")
    call_command("import_subscribers", str(source), newsletter="tech-news", basis=BASIS, stdout=StringIO())

    assert dict(newsletter.subscriptions.values_list("subscriber__address", "cadence")) == {
        RITA: "daily", BOB: "instant",
    }  # fmt: skip


@rows(
    ("options", "sentence"),
    [
        ({"newsletter": "none"}, "There is no newsletter with that slug."),
        ({"newsletter": "tech-news"}, "Choose one of the cadences that Tech News offers"),
        ({"newsletter": "tech-news", "cadence": "hourly"}, "Choose one of the cadences"),
        ({"newsletter": "tech-news", "cadence": "daily"}, "The file cannot be read"),
    ],
)
def test_the_command_says_what_to_change(newsletter: Newsletter, options: dict[str, str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("import_subscribers", "/nowhere/readers.csv", **options)
