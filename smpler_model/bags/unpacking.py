"""Compressed bytes, unpacked within bounds: a few kB can stand for gigabytes."""

import errno
import importlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

MAX_UNPACKED = 256 * 1024**2
"""Bytes of one chunk or message; recorders write chunks of a few MB."""

_LEFT_FREE = 512 * 1024**2  # bytes of a disk
_PIECE, _PART = 64 * 1024, 1024 * 1024  # fed and taken at once; all before damage is kept
_CODECS = {
    "bz2": (("bz2", "BZ2Decompressor"),),
    "lz4": (("lz4.frame", "LZ4FrameDecompressor"),),
    "zstd": (("compression.zstd", "ZstdDecompressor"), ("backports.zstd", "ZstdDecompressor")),
}


class DamageError(Exception):
    """Something in a bag's file is not whole; the message says what, in a few words."""


def unpack(
    compression: str, data: bytes | memoryview, size: int | None = None
) -> tuple[memoryview, str]:
    """Unpack what can be unpacked.

    Args:
        compression: `zstd`, `lz4`, `bz2`, or empty or `none` for none.
        data: packed.
        size: stated size; None if unknown.

    Returns:
        At most that many bytes and at most `MAX_UNPACKED`, and what is wrong with them, empty
        where nothing is.
    """
    if size is not None and size > MAX_UNPACKED:
        return memoryview(b""), f"{size} bytes are said to be in one chunk"
    limit = MAX_UNPACKED if size is None else size
    if compression in ("", "none"):
        content, reason = memoryview(data)[: limit + 1], ""
    else:
        content, reason = _unpack(compression, data, limit + 1)
    if len(content) > limit:
        return content[:limit], "more bytes are in a chunk than it says"
    if size is not None and len(content) < size:
        reason = reason or "fewer bytes are in a chunk than it says"
    return content, reason


def unpack_file(path: Path, folder: Path) -> tuple[Path, str]:
    """Unpack a file that is compressed by zstd as a whole.

    Args:
        path: path of the file, such as `walk_0.mcap.zstd`.
        folder: to write to.

    Returns:
        The file there, `walk_0.mcap`, as far as it unpacks, and what is wrong, empty for nothing.

    Raises:
        OSError: it cannot be read, or the disk is nearly full.
    """
    target = folder / path.stem
    with path.open("rb") as packed, target.open("wb") as file:
        try:
            for number, part in enumerate(
                _inflate("zstd", iter(lambda: packed.read(_PIECE), b""))
            ):
                if number % 64 == 0:
                    _check_space(folder)
                file.write(part)
        except DamageError as error:
            return target, str(error)
    return target, ""


def _check_space(folder: Path) -> None:
    """Leave some space for others: a few MB can stand for a whole disk of zeros.

    Raises:
        OSError: there is not more.
    """
    if shutil.disk_usage(folder).free < _LEFT_FREE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def copy_files(paths: list[Path], folder: Path) -> Path:
    """Copy files into a folder, and return the first's copy.

    Raises:
        OSError: they cannot be read, or the disk is full.
    """
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    return folder / paths[0].name


def _unpack(compression: str, data: bytes | memoryview, limit: int) -> tuple[memoryview, str]:
    """Return at most `limit` bytes, and what is wrong with them."""
    unpacked = bytearray()
    pieces = (data[place : place + _PIECE] for place in range(0, len(data), _PIECE))
    try:
        for part in _inflate(compression, pieces):
            unpacked += part
            if len(unpacked) >= limit:
                break
    except DamageError as error:
        return memoryview(unpacked)[:limit], str(error)
    return memoryview(unpacked)[:limit], ""


def _inflate(compression: str, pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Give unpacked bytes in parts of at most `_PART`.

    Raises:
        DamageError: the bytes are damaged or cut off; all before was given.
    """
    decompressor = None
    for piece in pieces:
        rest = piece
        while rest:
            if decompressor is None or decompressor.eof:  # frames may follow each other
                decompressor = _decompressor(compression)
            try:
                yield decompressor.decompress(rest, _PART)
                while not decompressor.eof and not decompressor.needs_input:
                    yield decompressor.decompress(b"", _PART)
            except Exception as error:  # each decompressor raises errors of its own
                raise DamageError("compressed bytes are damaged") from error
            rest = decompressor.unused_data if decompressor.eof else b""
    if decompressor is None or not decompressor.eof:
        raise DamageError("compressed bytes are cut off")


def _decompressor(compression: str) -> Any:  # noqa: ANN401 - one of several classes
    for module, name in _CODECS.get(compression, ()):
        try:
            return getattr(importlib.import_module(module), name)()
        except ImportError:
            continue
    raise DamageError(f"a chunk is compressed by {compression[:20]!r}, which cannot be undone")
