"""Tables of tab-separated values with an index of the rows.

`X.lineidx` next to `X.tsv` contains the byte offset of each row, one per line. If it is missing,
it is created.
"""

import logging
import os
import weakref
from pathlib import Path

import numpy as np

from smpler_model.array_types import Integers
from smpler_model.atomic_files import write_text_atomically

logger = logging.getLogger(__name__)

_BLOCK = 1 << 24


class TsvFile:
    """Random access to the rows of a file.

    Reading does not use a shared file position, so that worker processes do not affect each other.
    """

    def __init__(self, path: Path) -> None:
        """Open a file, and create its index if there is none.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the index does not match the file.
        """
        if not path.is_file():
            raise FileNotFoundError(
                f"a table must be a file, got {path}; correct the data set's YAML file or `root`"
            )
        self.path = path
        self._starts = _load_index(path)
        self._ends = np.append(self._starts[1:], path.stat().st_size)
        self._handle: int | None = None

    def __len__(self) -> int:
        return len(self._starts)

    def __getstate__(self) -> dict[str, object]:
        """Leave out the file handle, which is meaningless in another process."""
        return self.__dict__ | {"_handle": None}

    def row(self, number: int) -> list[str]:
        """Return the columns of a row.

        Raises:
            IndexError: there is no such row.
            ValueError: it is not text.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path} must have a row {number}, got {len(self)} rows")
        if self._handle is None:
            self._handle = os.open(self.path, os.O_RDONLY)
            weakref.finalize(self, os.close, self._handle)
        start = int(self._starts[number])
        content = os.pread(self._handle, int(self._ends[number]) - start, start)
        try:
            return content.decode().rstrip("\r\n").split("\t")
        except UnicodeDecodeError as error:
            raise ValueError(f"row {number} of {self.path} must be text, got bytes") from error

    def key(self, number: int) -> str:
        """Return the first column of a row."""
        return self.row(number)[0]


def find_rows(path: Path) -> Integers:
    """Return the byte offset of each row of a file."""
    starts, place = [np.zeros(1, np.int64)], 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            starts.append(ends.astype(np.int64) + place + 1)
            place += len(block)
    found = np.concatenate(starts)
    return found[found < place]


def _load_index(path: Path) -> Integers:
    index = path.with_suffix(".lineidx")
    if not index.is_file():
        starts = find_rows(path)
        _save_index(index, starts)
        return starts
    try:
        starts = np.array(index.read_text().split(), np.int64)
    except ValueError as error:
        raise ValueError(
            f"{index} must hold numbers, got {error}; remove it, and it is created again"
        ) from error
    if not _belongs(path, starts):
        raise ValueError(
            f"{index} must hold the offsets of the rows of {path.name}, got others; remove it, "
            "and it is created again"
        )
    return starts


def _belongs(path: Path, starts: Integers) -> bool:
    """Return whether an index matches a file, judged by its order and last row."""
    size = path.stat().st_size
    if not len(starts):
        return size == 0
    if starts[0] != 0 or (np.diff(starts) <= 0).any() or starts[-1] >= size:
        return False
    with path.open("rb") as file:
        file.seek(max(int(starts[-1]) - 1, 0))
        before = file.read(1) if starts[-1] else b"\n"
        file.readline()
        return before == b"\n" and file.tell() == size


def _save_index(index: Path, starts: Integers) -> None:
    """Save an index next to its file; several processes may do so at once."""
    try:
        write_text_atomically(index, "".join(f"{start}\n" for start in starts))
    except OSError as error:
        logger.warning("%s could not be saved (%s) and is computed every time", index, error)
