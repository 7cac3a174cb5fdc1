"""What a spreadsheet opens: no cell of an export is run as a formula, and an import reads it as it was."""

import csv
import io

import pytest

from core import csv_export

HARMLESS = ("Rita", "", "O'Neill", "'quoted'", "it is '=1", "a=b", "12")


@pytest.mark.parametrize("start", csv_export.FORMULA_STARTS)
def test_a_formula_is_guarded_and_read_back(start: str) -> None:
    cell = f"{start}HYPERLINK()"
    assert csv_export.guarded(cell) == f"'{cell}"
    assert csv_export.unguarded(csv_export.guarded(cell)) == cell


def test_other_cells_stay_as_they_are() -> None:
    assert [csv_export.guarded(cell) for cell in HARMLESS] == list(HARMLESS)
    assert [csv_export.unguarded(cell) for cell in HARMLESS] == list(HARMLESS)


def test_rows_are_written_in_pieces_and_numbers_are_not_guarded() -> None:
    pieces = list(csv_export.written([("=1", -1, None), *[("x" * 1_000,)] * 100]))
    assert len(pieces) > 2
    rows = list(csv.reader(io.StringIO("".join(pieces), newline="")))
    assert rows[0] == ["'=1", "-1", ""]
    assert len(rows) == 101
