"""Files of lines outside of the database, one per host in a directory that all hosts share.

A line counts once it is whole: what a crash cut off is left out when the file is read, and removed when it is written.
"""

import contextlib
import fcntl
import os
import platform
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

LONGEST_LINE: Final = 4_096  # bytes


@contextlib.contextmanager
def own(folder: Path) -> Iterator[BinaryIO]:
    """This host's file, held alone, with nothing behind its last whole line. On failure: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    host = re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "host"
    with (folder / f"{host}.jsonl").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - LONGEST_LINE))
        broken = file.read().rpartition(b"\n")[2]
        # Storage that can only be appended to refuses this, also where nothing would change.
        if broken:
            file.truncate(end - len(broken))
        yield file


def append(file: BinaryIO, lines: Iterable[bytes]) -> None:
    """Write the lines, and return when they are on the disk. On failure: OSError."""
    file.writelines(line + b"\n" for line in lines)
    file.flush()
    os.fsync(file.fileno())


def last(file: BinaryIO) -> bytes:
    """The last line that was written whole."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - LONGEST_LINE))
    return file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]


def last_of_each(folder: Path) -> Iterator[bytes]:
    """The last whole line of each host's file. On failure: OSError."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            yield last(file)


def all_of(folder: Path) -> Iterator[bytes]:
    """Every whole line of every host. On failure: OSError."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open("rb") as file:
            yield from (line.removesuffix(b"\n") for line in file if line.endswith(b"\n"))
