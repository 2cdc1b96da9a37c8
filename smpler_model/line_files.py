"""Text files that only grow, by whole lines, whatever happens."""

from __future__ import annotations

import os
from pathlib import Path


class LineFile:
    """A text file of UTF-8 that grows; what is appended is in it at once, or nothing of it.

    Attributes:
        path: path of the file.
        length: bytes.
    """

    def __init__(self, path: Path, length: int = 0) -> None:
        """Open.

        Args:
            path: path of the file.
            length: bytes to keep of it; 0 begins anew.

        Raises:
            OSError: it cannot be opened.
        """
        self.path, self.length = path, length
        self._file = path.open("r+b" if length else "wb", buffering=0)
        self._file.truncate(length)
        self._file.seek(length)

    def append(self, text: str) -> None:
        """Add whole lines.

        Raises:
            OSError: they cannot be written; the file is as it was.
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
        """See that everything is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
