"""Paths for C and C++ libraries."""

from __future__ import annotations

import os
from pathlib import Path


def native_path(path: str | Path) -> str:
    """Return a path for libraries that need UTF-8, such as OpenCV.

    Raises:
        ValueError: it is not UTF-8. OpenCV would crash with it, and no report could name it.
    """
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"a path must be UTF-8, got {os.fsencode(text)!r}; rename the file or folder"
        ) from None
    if "\0" in text:
        raise ValueError(f"a path must have no zero bytes, got {text!r}; write it without \\0")
    return text
