"""Decompression within size limits: a few kB can expand to gigabytes."""

import errno
import importlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

MAX_UNPACKED = 256 * 1024**2
"""Size limit of one chunk or message, bytes; recorders write chunks of a few MB."""

_LEFT_FREE = 512 * 1024**2  # bytes of disk space
_PIECE, _PART = 64 * 1024, 1024 * 1024  # input and output at a time; output before damage is kept
_CODECS = {
    "bz2": (("bz2", "BZ2Decompressor"),),
    "lz4": (("lz4.frame", "LZ4FrameDecompressor"),),
    "zstd": (("compression.zstd", "ZstdDecompressor"), ("backports.zstd", "ZstdDecompressor")),
}


class DamageError(Exception):
    """A part of a bag's file is damaged; the error says what, in a few words."""


def unpack(
    compression: str, data: bytes | memoryview, size: int | None = None
) -> tuple[memoryview, str]:
    """Decompress as much as possible.

    Args:
        compression: `zstd`, `lz4`, `bz2`, or empty or `none` for none.
        data: the compressed bytes.
        size: stated size; None if unknown.

    Returns:
        At most that many bytes and at most `MAX_UNPACKED`, and what is wrong with them, empty if
        nothing is.
    """
    if size is not None and size > MAX_UNPACKED:
        return memoryview(b""), f"a chunk claims {size} bytes"
    limit = MAX_UNPACKED if size is None else size
    if compression in ("", "none"):
        content, reason = memoryview(data)[: limit + 1], ""
    else:
        content, reason = _unpack(compression, data, limit + 1)
    if len(content) > limit:
        return content[:limit], "a chunk contains more bytes than stated"
    if size is not None and len(content) < size:
        reason = reason or "a chunk contains fewer bytes than stated"
    return content, reason


def unpack_file(path: Path, folder: Path) -> tuple[Path, str]:
    """Decompress a file that is compressed by zstd as a whole.

    Args:
        path: path of the file, such as `walk_0.mcap.zstd`.
        folder: folder for the decompressed file.

    Returns:
        The file there, `walk_0.mcap`, as far as it can be decompressed, and what is wrong, empty
        if nothing is.

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
    """Keep some disk space free: a few MB can expand to a whole disk of zeros.

    Raises:
        OSError: no more space may be used.
    """
    if shutil.disk_usage(folder).free < _LEFT_FREE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def copy_files(paths: list[Path], folder: Path) -> Path:
    """Copy files into a folder and return the copy of the first.

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
    """Yield decompressed bytes in parts of at most `_PART`.

    Raises:
        DamageError: the bytes are damaged or truncated; all parts before were yielded.
    """
    decompressor = None
    for piece in pieces:
        rest = piece
        while rest:
            if decompressor is None or decompressor.eof:  # several frames may follow one another
                decompressor = _decompressor(compression)
            try:
                yield decompressor.decompress(rest, _PART)
                while not decompressor.eof and not decompressor.needs_input:
                    yield decompressor.decompress(b"", _PART)
            except Exception as error:  # each decompressor has its own errors
                raise DamageError("compressed bytes are damaged") from error
            rest = decompressor.unused_data if decompressor.eof else b""
    if decompressor is None or not decompressor.eof:
        raise DamageError("compressed bytes are truncated")


def _decompressor(compression: str) -> Any:  # noqa: ANN401 - one of several classes
    for module, name in _CODECS.get(compression, ()):
        try:
            return getattr(importlib.import_module(module), name)()
        except ImportError:
            continue
    raise DamageError(f"a chunk has the unknown compression {compression[:20]!r}")
