"""Size and orientation from an image file's header, read before decompression.

OpenCV reports neither: it accepts up to a thousand million pixels and silently applies the EXIF
orientation.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274  # TIFF tags, which EXIF uses too
_NUMBERS = {3: "H", 4: "I"}  # types of TIFF
_EXIF = b"Exif\0\0"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG's SOF0 to SOF15
_WITHOUT_LENGTH = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_CODESTREAM = b"\xff\x4f\xff\x51"  # JPEG 2000's SOC and SIZ
_HEAD = 1024  # bytes within which the size must follow
_NETPBM = re.compile(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})")


@dataclass(frozen=True)
class PictureHeader:
    """Properties of an image file.

    Attributes:
        width: pixels, before the orientation is applied.
        height: pixels, before the orientation is applied.
        orientation: EXIF orientation, 1 (unchanged) to 8; 1 for TIFF files, whose own orientation
            OpenCV always applies.
    """

    width: int
    height: int
    orientation: int = 1


def read_header(content: NDArray[np.uint8]) -> PictureHeader | None:
    """Parse the header of an image file, None if the format is unknown."""
    data = np.ascontiguousarray(content).data
    start = bytes(data[:12])
    for begin, reader in _READERS.items():
        if start.startswith(begin):
            try:
                header = reader(data)
            except struct.error:  # the data ends before the size
                return None
            return header if header is not None and header.width and header.height else None
    return None


def _read_jpeg(data: memoryview) -> PictureHeader | None:
    orientation, at = 1, 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xFF:  # libjpeg also searches for the next one
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return PictureHeader(width, height, orientation)
        else:
            (length,) = struct.unpack_from(">H", data, at + 2)
            if marker == 0xE1 and bytes(data[at + 4 : at + 10]) == _EXIF:
                orientation = _read_orientation(data[at + 10 : at + 2 + length])
            at += 2 + max(length, 2)
    return None


def _read_png(data: memoryview) -> PictureHeader | None:
    """Read the chunks up to IEND; all must be complete, as OpenCV allocates for the largest."""
    width, height = struct.unpack_from(">II", data, 16)
    orientation, at = 1, 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, begin, at = bytes(data[at + 4 : at + 8]), at + 8, at + 12 + length
        if kind == b"eXIf":
            orientation = _read_orientation(data[begin : begin + length])
        if kind == b"IEND" and at <= len(data):
            return PictureHeader(width, height, orientation)
    return None


def _read_bmp(data: memoryview) -> PictureHeader | None:
    (size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    return PictureHeader(abs(width), abs(height))  # a negative height means top to bottom


def _read_webp(data: memoryview) -> PictureHeader | None:
    match bytes(data[12:16]):
        case b"VP8X":
            width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
            return PictureHeader(width, height, _find_webp_orientation(data))
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return PictureHeader((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", data, 26)
            return PictureHeader(width & 0x3FFF, height & 0x3FFF)
    return None


def _find_webp_orientation(data: memoryview) -> int:
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        if bytes(data[at : at + 4]) == b"EXIF":
            tags = data[at + 8 : at + 8 + length]
            return _read_orientation(tags[6:] if bytes(tags[:6]) == _EXIF else tags)
        at += 8 + length + length % 2
    return 1


def _read_tiff(data: memoryview) -> PictureHeader | None:
    tags = _read_tags(data)
    return PictureHeader(tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0))


def _read_jpeg2000(data: memoryview) -> PictureHeader | None:
    at = bytes(data[:_HEAD]).find(_CODESTREAM)
    right, bottom, left, top = struct.unpack_from(">IIII", data, at + 8)
    return PictureHeader(max(right - left, 0), max(bottom - top, 0)) if at >= 0 else None


def _read_netpbm(data: memoryview) -> PictureHeader | None:
    found = _NETPBM.match(bytes(data[:_HEAD]))
    return PictureHeader(int(found[1]), int(found[2])) if found else None


def _read_orientation(tags: memoryview) -> int:
    try:
        value = _read_tags(tags).get(_ORIENTATION, 1)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _read_tags(data: memoryview) -> dict[int, int]:
    """Return the single-number tags of the first directory of a TIFF."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        return {}
    tags: dict[int, int] = {}
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, at)
        if length == 1 and kind in _NUMBERS:
            (tags[tag],) = struct.unpack_from(order + _NUMBERS[kind], data, at + 8)
    return tags


_READERS: dict[bytes, Callable[[memoryview], PictureHeader | None]] = {
    b"\xff\xd8": _read_jpeg,
    b"\x89PNG": _read_png,
    b"BM": _read_bmp,
    b"RIFF": _read_webp,
    b"II*\0": _read_tiff,
    b"MM\0*": _read_tiff,
    _CODESTREAM: _read_jpeg2000,
    b"\0\0\0\x0cjP  ": _read_jpeg2000,
    **{f"P{kind}".encode(): _read_netpbm for kind in range(1, 7)},
}
