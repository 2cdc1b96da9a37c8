"""Files that are the old ones or the whole new ones at any moment, even if the power fails."""

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
    """Write a file under another name, and give it its own when it is whole.

    Args:
        path: path of the file; see `replacing`.
        write: gets the open file.
        sync: whether the file outlives a power failure; False for many files that are quickly made
            again, as waiting for the disk takes milliseconds each.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    with replacing(path, sync=sync) as partial, _Writer(partial) as file:
        try:
            write(file)
        except Exception:
            if file.failure is not None:
                raise file.failure from None
            raise


def write_text_atomically(path: Path, text: str) -> None:
    """Write a file of UTF-8, with escapes for what is no Unicode; see `write_atomically`."""
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Give a name to write a file to, which then replaces what is there.

    Args:
        path: path of the file. An existing file's permissions are kept; of a link, the target is
            replaced.
        sync: whether the file outlives a power failure.

    Yields:
        The name, in the same folder. After an error nothing is left under it.

    Raises:
        OSError: it cannot be written; what was there before is as it was.
    """
    target = path.resolve()
    partial = target.with_name(f".{uuid.uuid4().hex}.partial")
    _require_replaceable(path)
    try:
        yield partial
        put_in_place(partial, target, sync=sync)
    except OSError as error:
        # The name of the moment means nothing to whoever reads this.
        if error.errno is not None and error.filename in (None, partial, str(partial)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path, *, sync: bool = True) -> None:
    """Give a finished file its name, in place of what has it.

    Args:
        partial: the file, on the same file system as `path`.
        path: its name; the permissions of a file that has it are kept.
        sync: whether the file outlives a power failure.

    Raises:
        OSError: that is not possible.
    """
    if path.exists():
        partial.chmod(stat.S_IMODE(path.stat().st_mode))
    if sync:
        _sync(partial)
    partial.replace(path)
    if sync:
        _sync(path.parent)


class _Writer(io.BufferedWriter):
    """A file that remembers what could not be written: PyTorch tells of a full disk as a position.

    Attributes:
        failure: the error; None where there was none.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "w"))
        self.failure: OSError | None = None

    def write(self, content: Buffer) -> int:
        """Write; see `io.BufferedWriter`."""
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
    """See that a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        # Some network file systems cannot do this for folders, and keep names by other means.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(number)
