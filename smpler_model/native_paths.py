"""Paths as libraries of C and C++ take them."""

from __future__ import annotations

import os
from pathlib import Path


def native_path(path: str | Path) -> str:
    """Return a path that can be handed to OpenCV and its like, which need UTF-8.

    Raises:
        ValueError: it is none. OpenCV would crash with it, and no report could name it.
    """
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"a path must be UTF-8, got {os.fsencode(text)!r}; rename what it leads to"
        ) from None
    if "\0" in text:
        raise ValueError(f"a path must have no zero bytes, got {text!r}; leave them out")
    return text
