"""Depth in metres from the fields of ROS depth images (REP 118), without ROS."""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.encodings import (
    MOST_LETTERS,
    Buffer,
    ImageError,
    decode_picture,
    lay_over,
)

Metres = NDArray[np.float32]

FARTHEST_M = 100.0
"""If the median is beyond this distance, the values cannot be metres."""

_MILLIMETRES = ("16UC1", "mono16")
_METRES = "32FC1"
_METRES_FROM_MILLIMETRES = np.float32(1e-3)
_HEADER = struct.Struct("<iff")  # format of the inverse depth, then its parameters A and B
_SAMPLE_STEP_PX = 8


def decode_raw_depth(
    *, encoding: str, height: int, width: int, step: int, data: Buffer, is_bigendian: bool
) -> Metres:
    """Return the depth in a `sensor_msgs/Image`.

    Args:
        encoding: 32FC1 for metres, 16UC1 or mono16 for millimetres.
        height: number of rows.
        width: pixels per row.
        step: bytes per row, including padding.
        data: the bytes.
        is_bigendian: whether the numbers are big-endian.

    Returns:
        (h, w) float32 metres, NaN where nothing was measured (0, infinite and NaN alike).

    Raises:
        ImageError: another encoding, a wrong size, or numbers that cannot be metres.
    """
    if encoding != _METRES and encoding not in _MILLIMETRES:
        raise ImageError(
            "a depth image's encoding must be 32FC1 (metres) or 16UC1 (millimetres), got "
            f"'{encoding[:MOST_LETTERS]}'; choose the camera's depth topic"
        )
    kind = np.dtype(np.float32 if encoding == _METRES else np.uint16)
    stored = kind.newbyteorder(">" if is_bigendian else "<")
    values = lay_over(np.frombuffer(data, np.uint8), encoding, height, width, step, 1, stored)[
        ..., 0
    ].astype(kind)
    return _from_metres(values) if encoding == _METRES else _from_millimetres(values)


def decode_compressed_depth(image_format: str, data: Buffer) -> Metres:
    """Return the depth in a `sensor_msgs/CompressedImage`.

    Args:
        image_format: its `format`: that of `compressed_depth_image_transport`, or of a 16-bit PNG
            of millimetres.
        data: its bytes.

    Returns:
        (h, w) float32 metres, NaN where nothing was measured.

    Raises:
        ImageError: another format, or bytes that are no depth image.
    """
    content = np.frombuffer(data, np.uint8)
    original = image_format.partition(";")[0].strip()
    if "rvl" in image_format.lower():
        raise ImageError(
            "a compressed depth image must be stored as PNG, got RVL; set the publisher's "
            "parameter .compressedDepth.format to png or subscribe to the raw image"
        )
    if "compressedDepth" not in image_format:
        return _from_millimetres(_read_png(content, image_format))
    inverse = _read_png(content[_HEADER.size :], image_format)
    if original != _METRES:
        return _from_millimetres(inverse)
    _, a, b = _HEADER.unpack(content[: _HEADER.size].tobytes())
    with np.errstate(divide="ignore"):
        metres = np.float32(a) / (inverse.astype(np.float32) - np.float32(b))
    metres[inverse == 0] = np.nan
    return _from_metres(metres)


def _from_millimetres(values: NDArray[np.uint16]) -> Metres:
    metres = values * _METRES_FROM_MILLIMETRES
    metres[values == 0] = np.nan
    return metres


def _from_metres(values: Metres) -> Metres:
    with np.errstate(invalid="ignore"):
        measured = (values > 0) & (values < np.inf)
    metres = np.where(measured, values, np.float32(np.nan))
    sample = metres[::_SAMPLE_STEP_PX, ::_SAMPLE_STEP_PX]
    sample = sample[~np.isnan(sample)]
    middle = float(np.median(sample)) if len(sample) else 0.0
    if middle > FARTHEST_M:
        raise ImageError(
            f"a {_METRES} depth image must be in metres (REP 118), got a median of {middle:.0f}; "
            "convert millimetres to metres or publish them as 16UC1"
        )
    return metres


def _read_png(content: NDArray[np.uint8], image_format: str) -> NDArray[np.uint16]:
    picture = decode_picture(content, cv2.IMREAD_UNCHANGED)
    if picture is None or picture.ndim != 2 or picture.dtype != np.uint16:
        got = "none" if picture is None else f"{picture.shape} {picture.dtype}"
        raise ImageError(
            f"a compressed depth image must hold a 16-bit PNG of one channel, got {got} (format "
            f"'{image_format[:MOST_LETTERS]}'); choose the camera's compressedDepth topic"
        )
    return np.asarray(picture)
