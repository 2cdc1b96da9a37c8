"""Files that are whole at any moment, and their hashes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file that is either the old one or the whole new one, even if the power fails.

    Args:
        path: of the file.
        write: gets the open file.
    """
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def hash_files(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of all files of a folder by their names."""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    return {file.name: hash_file(file) for file in files}
