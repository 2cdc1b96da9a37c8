"""SHA-256 of files, which tells what results were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def hash_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of files' contents, one after another, in hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def hash_each(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of all files of a folder, by their names."""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    return {file.name: hash_files([file]) for file in files}
