"""Text files that are appended to line by line and never hold a partial line."""

from __future__ import annotations

import os
from pathlib import Path


class LineFile:
    """A UTF-8 text file that grows; each append is written completely or not at all.

    Attributes:
        path: path of the file.
        length: length of the file, bytes.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        """Open the file.

        Args:
            path: path of the file.
            length: bytes to keep; 0 starts a new file.

        Raises:
            OSError: it cannot be opened.
        """
        self.path, self.length = path, length
        self._file = path.open("r+b" if length else "wb", buffering=0)
        self._file.truncate(length)
        self._file.seek(length)

    def append(self, text: str) -> None:
        """Append whole lines.

        Raises:
            OSError: they cannot be written; the file is unchanged.
        """
        content = text.encode(errors="backslashreplace")
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(self.length)
            self._file.seek(self.length)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self.length += len(content)

    def sync(self) -> None:
        """Flush everything to disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
