"""Text files that only grow, and can go back to where they were at a checkpoint."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType


class GrowingFile:
    """A text file; a context manager. What is written is in the file after `commit`.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        """Open.

        Args:
            path: of the file.
            length: bytes to keep; what comes after them is of a run that was killed.
        """
        self.path = path
        self._file = path.open("r+" if length else "w", encoding="utf-8", newline="")
        self._file.truncate(length)
        self._file.seek(length)

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, text: str) -> None:
        """Append."""
        self._file.write(text)

    def commit(self) -> int:
        """See that everything is on the disk; return the file's length, bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.path.stat().st_size


class Table(GrowingFile):
    """A CSV file with a header."""

    def __init__(self, path: Path, columns: Sequence[str], length: int = 0) -> None:
        """Open; see `GrowingFile`."""
        super().__init__(path, length)
        self._rows = csv.writer(self._file)
        if not length:
            self._rows.writerow(columns)

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows."""
        self._rows.writerows(rows)
        self._file.flush()  # a killed run leaves whole rows


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Give the rows of a CSV file by its header."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
