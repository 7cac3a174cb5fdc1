"""Files of comma-separated values (RFC 4180, UTF-8) that a spreadsheet may open, written while they are sent."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.http import StreamingHttpResponse

# Spreadsheets run a cell that begins with one of these as a formula. They also fold the full-width forms to them.
FORMULA_STARTS: Final = tuple("=+-@\t\r\x00＝＋－＠")  # noqa: RUF001  # the full-width forms are meant
CHUNK_CHARACTERS: Final = 1 << 15


def guarded(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would run."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def unguarded(cell: str) -> str:
    """The cell as it was before `guarded`, for an import of what was exported."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def written(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The rows as text, some thousand characters at a time. Texts are guarded, other values stay as they are."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([guarded(cell) if isinstance(cell, str) else cell for cell in row])
        if buffer.tell() > CHUNK_CHARACTERS:
            yield _taken(buffer)
    yield _taken(buffer)


def download(chunks: Iterable[str], *, name: str) -> StreamingHttpResponse:
    """The response with which a browser saves the text as NAME.csv; no cache keeps it."""
    return StreamingHttpResponse(
        chunks,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store, private"},
    )


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
