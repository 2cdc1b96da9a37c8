"""Detection of truncated video files, by the sizes stated in their containers."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_HEAD = 64  # bytes that identify a container


def is_cut(path: Path) -> bool:
    """Return whether a file is shorter than its container states: MP4, AVI or Matroska.

    Other formats are not checked and count as complete.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
        find_end = next((find for is_kind, find in _KINDS if is_kind(head)), None)
        return find_end is not None and find_end(file, head, size) > size


def _end_of_avi(_: BinaryIO, head: bytes, __: int) -> int:
    return 8 + int.from_bytes(head[4:8], "little")


def _end_of_mp4(file: BinaryIO, _: bytes, size: int) -> int:
    """Walk the boxes; a size of 0 means up to the end, 1 that the size follows the name.

    What follows the last box, as some cameras write, has no name in ASCII.
    """
    at = 0
    while at + 16 <= size:
        file.seek(at)
        short, name, long = struct.unpack(">I4sQ", file.read(16))
        length = long if short == 1 else short
        if length < 8 or not all(0x20 <= letter < 0x7F for letter in name):
            return size
        at += length
    return at


def _end_of_matroska(_: BinaryIO, head: bytes, size: int) -> int:
    """Return the end of the segment, which follows the EBML header."""
    length, at = _read_vint(head, 4)
    at += length
    if head[at : at + 4] != b"\x18\x53\x80\x67":
        return size
    length, begin = _read_vint(head, at + 4)
    is_unknown = length == (1 << 7 * (begin - at - 4)) - 1
    return size if is_unknown else begin + length


def _read_vint(head: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length EBML integer and its end; leading zero bits give its length."""
    first = head[at] if at < len(head) else 0x80
    count = 9 - first.bit_length()
    value = int.from_bytes(head[at : at + count], "big")
    return value & ((1 << 7 * count) - 1), at + count


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[BinaryIO, bytes, int], int]], ...] = (
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ", _end_of_avi),
    (lambda head: head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"), _end_of_mp4),
    (lambda head: head[:4] == b"\x1a\x45\xdf\xa3", _end_of_matroska),
)
