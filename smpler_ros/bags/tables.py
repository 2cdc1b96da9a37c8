"""Append-only text files that can be rolled back to a checkpoint."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from smpler_model.line_files import LineFile


class GrowingFile:
    """A text file of whole lines; a context manager. Written lines are durable after `commit`.

    Attributes:
        path: path of the file.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        """Open the file; what exceeds the length is cut off.

        Args:
            path: path of the file.
            length: bytes to keep; a killed run wrote the rest after its last checkpoint.
        """
        self.path = path
        self._file = LineFile(path, length)

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
        """Append whole lines, all or none of them."""
        self._file.append(text)

    def commit(self) -> int:
        """Flush to disk; return the file's length, bytes."""
        self._file.sync()
        return self._file.length


class Table(GrowingFile):
    """A CSV file with a header."""

    def __init__(self, path: Path, columns: Sequence[str], length: int = 0) -> None:
        """Open the file and write the header if it is new; see `GrowingFile`."""
        super().__init__(path, length)
        if not length:
            self.write_rows([columns])

    def write_rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Append rows, all or none of them."""
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self.write(text.getvalue())


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file as dictionaries."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
