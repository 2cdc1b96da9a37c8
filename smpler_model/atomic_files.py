"""Atomic file writes: a file is the old or the complete new one, even after a power failure."""

from __future__ import annotations

import errno
import io
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


def write_atomically(
    path: Path, write: Callable[[IO[bytes]], object], *, sync: bool = True
) -> None:
    """Write a file under a temporary name and rename it when it is complete.

    Args:
        path: path of the file; see `replacing`.
        write: called with the open file.
        sync: whether the file must survive a power failure; False for many files that are quickly
            recreated, as waiting for the disk takes milliseconds each.

    Raises:
        OSError: it cannot be written; an existing file is unchanged.
    """
    with replacing(path, sync=sync) as partial, _Writer(partial) as file:
        try:
            write(file)
        except Exception:
            if file.failure is not None:
                raise file.failure from None
            raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 file, with escapes for invalid Unicode; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to; the file then replaces the existing one.

    Args:
        path: path of the file. An existing file's permissions are kept; for a link, the target is
            replaced.
        sync: whether the file must survive a power failure.

    Yields:
        The temporary path, in the same folder. After an error the file is removed.

    Raises:
        OSError: it cannot be written; an existing file is unchanged.
    """
    target = path.resolve()
    partial = target.with_name(f".{uuid.uuid4().hex}.partial")
    _require_replaceable(path)
    try:
        yield partial
        put_in_place(partial, target, sync=sync)
    except OSError as error:
        # The temporary name would mean nothing to the user.
        if error.errno is not None and error.filename in (None, partial, str(partial)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path, *, sync: bool = True) -> None:
    """Rename a finished file, replacing an existing one.

    Args:
        partial: the file, on the same file system as `path`.
        path: its final path; the permissions of an existing file are kept.
        sync: whether the file must survive a power failure.

    Raises:
        OSError: it cannot be renamed.
    """
    if path.exists():
        partial.chmod(stat.S_IMODE(path.stat().st_mode))
    if sync:
        _sync(partial)
    partial.replace(path)
    if sync:
        _sync(path.parent)


class _Writer(io.BufferedWriter):
    """Remembers why writing failed, as PyTorch reports a full disk only as a wrong position.

    Attributes:
        failure: the error; None if there was none.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "w"))
        self.failure: OSError | None = None

    def write(self, content: Buffer) -> int:
        """Write, and remember an error; see `io.BufferedWriter`."""
        try:
            return super().write(content)
        except OSError as error:
            self.failure = error
            raise


def _require_replaceable(path: Path) -> None:
    """Refuse folders, and devices such as /dev/null, which root could replace."""
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device"
        raise OSError(f"the output must be a file or a new name, got the {kind} {path}")


def _sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        # Some network file systems do not support this for folders, and keep names by other means.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(number)
