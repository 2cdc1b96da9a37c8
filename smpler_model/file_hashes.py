"""SHA-256 of files, to record what results were computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def hash_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of the concatenated contents of files, as hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()


def hash_each(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of each file in a folder, by name."""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    return {file.name: hash_files([file]) for file in files}
