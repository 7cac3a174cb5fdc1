"""Every record ends in one place, with its line and its column; what was refused can be mended and sent in again."""

import csv
import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from mailkit import addresses
from subscribers import import_reading, imports, suppression
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Suppression
from subscribers.tests.conftest import import_text
from tests.cast import BOB, RITA, ask
from tests.table import rows

pytestmark = pytest.mark.django_db


def run_command(newsletter: Newsletter, path: Path, **options: object) -> str:
    out = StringIO()
    call_command(
        "import_subscribers", str(path), newsletter=newsletter.slug, cadence="daily", basis="b",
        stdout=out, stderr=StringIO(), **options,
    )  # fmt: skip
    return out.getvalue()


def test_each_reason_names_its_line_and_its_column(newsletter: Newsletter, tmp_path: Path) -> None:
    path = tmp_path / "readers.csv"
    path.write_text(
        f"E-Mail;Vorname;Status\nnonsense;A;aktiv\n{RITA};{'x' * 121};aktiv\n{BOB};Bob;abgemeldet\n", encoding="utf-8"
    )
    output = run_command(newsletter, path)

    assert "line 2: Column “E-Mail”: " in output
    assert "line 3: Column “Vorname”: " in output
    assert "line 4: According to the column “Status” (“abgemeldet”)" in output
    assert "0 imported (confirmed), 0 there already, 3 refused." in output


def test_the_same_reader_twice_is_in_one_place_each_time(newsletter: Newsletter) -> None:
    suppression.suppress(
        address_key=addresses.normalise(RITA).key, reason=Suppression.Reason.MANUAL, actor=None, now=timezone.now()
    )
    report = import_text(f"email\n{RITA}\n{BOB}\n{RITA}\n{BOB}\n", newsletter)

    assert (report.imported, report.already_there) == (1, 1)
    assert [(refused.line, refused.reason) for refused in report.refused] == [
        (2, imports.SUPPRESSED),
        (4, imports.SUPPRESSED),
    ]
    assert report.lines == 4


def test_who_is_there_without_having_confirmed_is_counted_and_not_confirmed(
    newsletter: Newsletter, tmp_path: Path
) -> None:
    ask(RITA, newsletter)
    path = tmp_path / "readers.csv"
    path.write_text(f"email\n{RITA}\n{BOB}\n", encoding="utf-8")
    output = run_command(newsletter, path)

    assert "1 imported (confirmed), 1 there already, 0 refused." in output
    assert "1 of those there already have not confirmed yet" in output


def test_a_list_from_a_pipe_is_refused_because_it_can_be_read_once_only(newsletter: Newsletter, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CommandError, match="must be a plain file"):
        run_command(newsletter, pipe)


def test_what_could_not_be_divided_into_cells_is_handed_back_too(newsletter: Newsletter, tmp_path: Path) -> None:
    path, refused = tmp_path / "readers.csv", tmp_path / "refused.csv"
    path.write_text(f'Name;Email;Note\nRita;{RITA};"from the fair\nhis-boss@never.net\nBob;{BOB};\n', encoding="utf-8")
    run_command(newsletter, path, refused=refused)
    with refused.open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)

    assert header == ["Name", "Email", "Note", "Refused because"]
    assert row[1] == f'Rita;{RITA};"from the fair\nhis-boss@never.net'
    assert "not closed" in row[3]


def test_a_refused_file_sent_in_twice_stays_as_wide_as_it_was(newsletter: Newsletter, tmp_path: Path) -> None:
    path, refused, again = tmp_path / "readers.csv", tmp_path / "refused.csv", tmp_path / "again.csv"
    path.write_text(f"email,status\nnonsense,active\n{RITA},unsubscribed\n", encoding="utf-8")
    run_command(newsletter, path, refused=refused)
    run_command(newsletter, refused, refused=again)

    assert again.read_text(encoding="utf-8") == refused.read_text(encoding="utf-8")


def test_each_no_keeps_what_its_own_row_said(newsletter: Newsletter) -> None:
    import_text(f"email,unsubscribed_at\n{RITA},2023-05-01\n{BOB},2024-06-02\n", newsletter)
    bases = dict(ConsentEvent.objects.values_list("address_hash", "basis"))

    assert "2023-05-01" in bases[addresses.keyed_hash(RITA)]
    assert "2024-06-02" in bases[addresses.keyed_hash(BOB)]


def test_many_different_noes_cost_no_more_statements_than_a_few(newsletter: Newsletter) -> None:
    costs: list[int] = []

    def counted(execute: Any, *statement: Any) -> Any:
        costs[-1] += 1
        return execute(*statement)

    for count in (2, 200):
        rows = "".join(f"r{count}x{number}@reader.org,2023-05-01 10:{number}\n" for number in range(count))
        costs.append(0)
        with connection.execute_wrapper(counted):
            import_text(f"email,unsubscribed_at\n{rows}", newsletter)

    assert 0 < costs[0] == costs[1]


@rows(
    "text",
    [
        f"Email;Name, Vorname;Ort, Land, Kontinent\n{RITA};Reader, Rita;Bern, CH, Europa\n",
        f'"sep=;"\r\nEmail;Name\r\n{RITA};"Reader, Rita"\r\n',
        f'Email,Name,Notes\n{RITA},"Reader, Rita","two\nlines \N{LINE SEPARATOR} in all"\n',
    ],
)
def test_marks_inside_cells_do_not_divide_them(newsletter: Newsletter, text: str) -> None:
    report = import_text(text, newsletter, names=["2"])

    assert report.refused == []
    assert Subscriber.objects.get().name == "Reader, Rita"


def test_a_line_without_end_costs_itself_and_little_memory(newsletter: Newsletter) -> None:
    report = import_text(f"email,name\n{RITA},{'x' * 2_500_000}\n{BOB},Bob\n", newsletter)

    assert {refused.line for refused in report.refused} == {2}
    assert Subscriber.objects.get().address == BOB


def test_a_long_list_leaves_no_statements_behind_in_development(
    newsletter: Newsletter, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    monkeypatch.setattr(import_reading, "PORTION", 5)
    import_text("email\n" + "".join(f"r{number}@reader.org\n" for number in range(50)), newsletter)

    # Those of the end, not those of all ten portions.
    assert len(connection.queries) < 20


def test_several_addresses_in_one_line_are_not_lost(newsletter: Newsletter) -> None:
    with pytest.raises(imports.ImportRefused, match="one reader on each line"):
        import_text(f"{RITA};{BOB}\n", newsletter)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_a_long_import_says_how_far_it_is(
    newsletter: Newsletter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: type[StringIO]
) -> None:
    monkeypatch.setattr(import_reading, "PORTION", 2)
    path, progress = tmp_path / "readers.csv", stream()
    path.write_text("email\n" + "".join(f"r{number}@reader.org\n" for number in range(5)), encoding="utf-8")
    call_command(
        "import_subscribers", str(path), newsletter=newsletter.slug, cadence="daily", basis="b",
        stdout=StringIO(), stderr=progress,
    )  # fmt: skip
    output = progress.getvalue()

    assert output.endswith("5 of 5 records (100 %), 5 imported\n")
    assert output.startswith("\r\x1b[K") == (stream is Terminal), "a terminal has one line that changes"
