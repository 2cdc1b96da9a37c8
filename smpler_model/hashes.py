"""SHA-256 of files, arrays and texts: records what results came from, and splits data by name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_BLOCK_BYTES = 1 << 20

Part: TypeAlias = "str | bytes | NDArray[np.generic]"
"""Text, hashed as UTF-8; bytes; or an array's values in C order, without its shape and type."""


def hash_parts(parts: Iterable[Part]) -> str:
    """Return the SHA-256 of texts, bytes and arrays one after another, as hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode())
        else:
            digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return digest.hexdigest()


def hash_files(paths: Iterable[Path]) -> str:
    """Return the SHA-256 of the concatenated contents of files, as hexadecimal digits."""
    return hash_parts(block for path in paths for block in _blocks(path))


def hash_each(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of each file in a folder, by name."""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    return {file.name: hash_files([file]) for file in files}


def is_in_share(name: str, share: float) -> bool:
    """Return whether a name belongs to a share of all names, chosen by its hash.

    Args:
        name: name of a photo or a sequence. The answer for it never changes.
        share: from 0, no name, to 1, every name. A larger share contains a smaller one.
    """
    return int(hash_parts([name])[:16], 16) < share * 2**64


def _blocks(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
