"""The refused records of an import as a file, with the reasons, to be corrected and sent in again."""

import csv
from collections.abc import Iterator
from typing import Final, TextIO

from core import csv_export
from subscribers import import_reading
from subscribers.import_report import RefusedRow

REFUSED_BECAUSE: Final = "Refused because"


def write(*, refusals: Iterator[RefusedRow], source: import_reading.Source, file: TextIO) -> None:
    """The records as they were, with a column that says why; a cell that looks like a formula is guarded.

    A record that could not be read, or has more cells than there are columns, is in the cell of the address as a whole.
    """
    columns = source.columns
    width = columns.header.index(REFUSED_BECAUSE) if REFUSED_BECAUSE in columns.header else len(columns.header)
    refused = next(refusals, None)
    writer = csv.writer(file)
    if columns.is_named:
        writer.writerow([*columns.header[:width], REFUSED_BECAUSE])
    for record in source.records():
        # Somebody who was erased is not in the file any more.
        while refused is not None and refused.line < record.line:
            refused = next(refusals, None)
        if refused is None or record.line != refused.line:
            continue
        cells = record.cells
        if import_reading.is_doubtful(record, columns):
            cells = (*[""] * columns.address, record.text or source.table.delimiter.join(cells))
        guarded = [csv_export.guarded(cell) for cell in cells[:width]]
        writer.writerow([*guarded, *[""] * (width - len(guarded)), refused.reason])
        refused = next(refusals, None)
