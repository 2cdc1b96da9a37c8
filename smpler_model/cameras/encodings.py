"""Pixels from the fields of ROS image messages, without ROS.

Encodings are those of `sensor_msgs/image_encodings`. One decoder serves the live node and bags:
OpenCV converts, and this module lays the array over the message's bytes. Neither `cv_bridge` nor
`rosbags-image` does all that is needed: the first does not import under NumPy 2 in several
distributions, the second ignores `step` and cannot read the planes of NV12.

Images without a colour order in their encoding (8UC3, 8UC4) are BGR, as RViz shows them.
"""

from array import array
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

Rgb = NDArray[np.uint8]
Bytes = NDArray[np.uint8]
Buffer: TypeAlias = "bytes | bytearray | memoryview | array[int] | NDArray[np.uint8]"
"""The data of a message: rclpy has `array.array`, rosbags NumPy's."""

DEFAULT_JPEG_QUALITY = 85


class ImageError(ValueError):
    """An image cannot be read; the message says what was expected, what came, what to do."""


@dataclass(frozen=True)
class _Packing:
    """How the pixels of an encoding lie in a row.

    Attributes:
        channels: numbers in a pixel.
        bits: of a number.
        to_rgb: OpenCV's conversion; None where the numbers are RGB already.
        block: width and height must be multiples of its (width, height).
    """

    channels: int
    bits: int
    to_rgb: int | None
    block: tuple[int, int] = (1, 1)


def _with_16_bits(packings: dict[str, _Packing]) -> dict[str, _Packing]:
    """Add the 16-bit variants, whose names end on 16 instead of 8."""
    deep = {
        f"{name.removesuffix('8')}16": _Packing(packing.channels, 16, packing.to_rgb)
        for name, packing in packings.items()
    }
    return packings | deep


_PACKINGS = {
    **_with_16_bits(
        {
            "rgb8": _Packing(3, 8, None),
            "bgr8": _Packing(3, 8, cv2.COLOR_BGR2RGB),
            "rgba8": _Packing(4, 8, cv2.COLOR_RGBA2RGB),
            "bgra8": _Packing(4, 8, cv2.COLOR_BGRA2RGB),
            "mono8": _Packing(1, 8, cv2.COLOR_GRAY2RGB),
            "bayer_rggb8": _Packing(1, 8, cv2.COLOR_BayerRGGB2RGB),
            "bayer_bggr8": _Packing(1, 8, cv2.COLOR_BayerBGGR2RGB),
            "bayer_gbrg8": _Packing(1, 8, cv2.COLOR_BayerGBRG2RGB),
            "bayer_grbg8": _Packing(1, 8, cv2.COLOR_BayerGRBG2RGB),
        }
    ),
    "8UC1": _Packing(1, 8, cv2.COLOR_GRAY2RGB),
    "8UC3": _Packing(3, 8, cv2.COLOR_BGR2RGB),
    "8UC4": _Packing(4, 8, cv2.COLOR_BGRA2RGB),
    "16UC1": _Packing(1, 16, cv2.COLOR_GRAY2RGB),
    "16UC3": _Packing(3, 16, cv2.COLOR_BGR2RGB),
    "16UC4": _Packing(4, 16, cv2.COLOR_BGRA2RGB),
    "uyvy": _Packing(2, 8, cv2.COLOR_YUV2RGB_UYVY, (2, 1)),
    "yuv422": _Packing(2, 8, cv2.COLOR_YUV2RGB_UYVY, (2, 1)),
    "yuyv": _Packing(2, 8, cv2.COLOR_YUV2RGB_YUYV, (2, 1)),
    "yuv422_yuy2": _Packing(2, 8, cv2.COLOR_YUV2RGB_YUYV, (2, 1)),
}

# Planes one after the other: brightness in full size, then pairs of colour differences.
_HALF_PLANES = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
_FULL_PLANES = "nv24"
# ITU-R BT.601, as OpenCV has it for the other YUV encodings: Y from 16, U and V about 128.
_RGB_FROM_YUV = np.array([[1.164, 0, 1.596], [1.164, -0.391, -0.813], [1.164, 2.018, 0]])
_RGB_FROM_YUV1 = np.column_stack([_RGB_FROM_YUV, -_RGB_FROM_YUV @ (16, 128, 128)])

BAYER_ENCODINGS = frozenset(name for name in _PACKINGS if name.startswith("bayer_"))
"""Encodings of the raw mosaic behind a colour filter."""

ENCODINGS = frozenset(_PACKINGS) | frozenset(_HALF_PLANES) | {_FULL_PLANES}
"""Encodings that `decode_raw` reads."""

# 8 bits, grey or BGR, and not turned by EXIF, which would part image and calibration.
_PICTURE = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_LONGEST_TAIL = 4096  # cameras fill up the last block they send


def decode_raw(
    *, encoding: str, height: int, width: int, step: int, data: Buffer, is_bigendian: bool
) -> Rgb:
    """Return the pixels of a `sensor_msgs/Image` as RGB.

    Args:
        encoding: one of `ENCODINGS`.
        height: rows.
        width: pixels in a row.
        step: bytes in a row, padding included.
        data: the bytes.
        is_bigendian: the order of the bytes in 16-bit numbers.

    Returns:
        (h, w, 3) uint8 RGB. For rgb8 it is a view of `data`, padded rows included: copy it before
        writing to it. 16-bit images are scaled by 255 / 65535.

    Raises:
        ImageError: an unknown encoding, no pixels, a wrong step, too few bytes.
    """
    content = np.frombuffer(data, np.uint8)
    if encoding in _HALF_PLANES:
        return _decode_half_planes(encoding, height, width, step, content)
    if encoding == _FULL_PLANES:
        return _decode_full_planes(height, width, step, content)
    if encoding not in _PACKINGS:
        raise ImageError(
            f"the image's encoding must be one of {', '.join(sorted(ENCODINGS))}, got "
            f"'{encoding}'; convert it or choose another topic"
        )
    packing = _PACKINGS[encoding]
    _check_blocks(encoding, height, width, packing.block)
    kind = np.dtype(f"u{packing.bits // 8}").newbyteorder(">" if is_bigendian else "<")
    pixels = lay_over(content, encoding, height, width, step, packing.channels, kind)
    return _rgb_from(_eight_bits(pixels), packing.to_rgb)


def decode_compressed(image_format: str, data: Buffer) -> Rgb:
    """Return the pixels of a `sensor_msgs/CompressedImage` as RGB.

    Args:
        image_format: its `format`, as `compressed_image_transport` writes it; other texts are
            fine too, because the content says what it is (JPEG, PNG and what else OpenCV reads).
        data: its bytes.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ImageError: a depth image, or bytes that are no image.
    """
    original = image_format.partition(";")[0].strip()
    if "compressedDepth" in image_format:
        raise ImageError(
            f"the image must be a colour image, got a depth image ('{image_format}'); subscribe "
            "to the camera's colour topic"
        )
    content = np.frombuffer(data, np.uint8)
    is_complete = len(content) > 0 and not _breaks_off(content)
    picture = decode_picture(content, _PICTURE) if is_complete else None
    if picture is None:
        raise ImageError(
            f"a compressed image must hold a whole JPEG or PNG picture, got {len(content)} bytes "
            f"of something else (format '{image_format}'); check what sends it"
        )
    if picture.ndim == 3:
        return _rgb_from(np.asarray(picture, np.uint8), cv2.COLOR_BGR2RGB)
    # The transport stores the raw mosaic of a Bayer sensor as a grey picture.
    grey = _PACKINGS[original] if original in BAYER_ENCODINGS else _PACKINGS["mono8"]
    return _rgb_from(np.asarray(picture, np.uint8), grey.to_rgb)


def decode_picture(content: NDArray[np.uint8], flags: int) -> NDArray[Any] | None:
    """Return the picture in the bytes of a file as OpenCV reads it, None where there is none."""
    try:
        return cv2.imdecode(content, flags) if len(content) else None
    except cv2.error:  # more pixels, by what the file says, than OpenCV takes
        return None


def encode_jpeg(rgb: Rgb, quality: int = DEFAULT_JPEG_QUALITY) -> bytes:
    """Return an (h, w, 3) uint8 RGB image as a JPEG file.

    Args:
        rgb: the image.
        quality: 1 to 100.
    """
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, content = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), parameters)
    if not done:
        raise ImageError(f"an image of {rgb.shape[1]}x{rgb.shape[0]} cannot be stored as JPEG")
    return content.tobytes()


def lay_over(
    content: Bytes,
    encoding: str,
    height: int,
    width: int,
    step: int,
    channels: int,
    kind: DTypeLike,
) -> NDArray[np.generic]:
    """Lay an array over a message's bytes, without a copy.

    Args:
        content: the bytes.
        encoding: for the error's text.
        height: rows.
        width: pixels in a row.
        step: bytes in a row, padding included; the last row needs no padding.
        channels: numbers in a pixel.
        kind: of the numbers.

    Returns:
        (h, w, channels) view.

    Raises:
        ImageError: no pixels, a wrong step, too few bytes.
    """
    size = np.dtype(kind).itemsize
    row = width * channels * size
    if height < 1 or width < 1:
        raise ImageError(f"an image must have pixels, got {width}x{height}; check what sends it")
    if step < row:
        raise ImageError(
            f"the step of a {encoding} image {width} pixels wide must be at least {row} bytes, "
            f"got {step}; correct what sends it"
        )
    needed = step * (height - 1) + row
    if len(content) < needed:
        raise ImageError(
            f"a {encoding} image of {width}x{height} must have at least {needed} bytes, got "
            f"{len(content)}; correct what sends it"
        )
    shape, strides = (height, width, channels), (step, channels * size, size)
    return np.ndarray(shape, kind, content, strides=strides)


def _decode_half_planes(encoding: str, height: int, width: int, step: int, content: Bytes) -> Rgb:
    """Return the RGB of a brightness plane over one of colours at half the resolution."""
    _check_blocks(encoding, height, width, (2, 2))
    # Some drivers put the bytes of all planes of a row into `step` although rows are not padded.
    step = width if len(content) == height * width * 3 // 2 else step
    planes = lay_over(content, encoding, height * 3 // 2, width, step, 1, np.uint8)
    return _rgb_from(np.ascontiguousarray(planes, np.uint8), _HALF_PLANES[encoding])


def _decode_full_planes(height: int, width: int, step: int, content: Bytes) -> Rgb:
    """Return the RGB of a brightness plane over one of colours at full resolution."""
    step = width if len(content) == height * width * 3 else step
    y = lay_over(content, _FULL_PLANES, height, width, step, 1, np.uint8)
    rest = content[height * step :]
    uv = lay_over(rest, _FULL_PLANES, height, width, 2 * step, 2, np.uint8)
    yuv = np.concatenate([y, uv], axis=2)
    return np.asarray(cv2.transform(yuv, _RGB_FROM_YUV1), np.uint8)


def _eight_bits(pixels: NDArray[np.generic]) -> Rgb:
    if pixels.dtype.itemsize == 1:
        return pixels.view(np.uint8)
    native = np.require(pixels, np.uint16, ["A", "C"])
    return np.asarray(cv2.convertScaleAbs(native, alpha=255 / 65535), np.uint8).reshape(
        pixels.shape
    )


def _rgb_from(pixels: Rgb, to_rgb: int | None) -> Rgb:
    return pixels if to_rgb is None else np.asarray(cv2.cvtColor(pixels, to_rgb), np.uint8)


def _breaks_off(content: Bytes) -> bool:
    """Tell whether a JPEG has no end, which some versions of OpenCV fill up with grey."""
    is_jpeg = content[:2].tobytes() == _JPEG_BEGIN
    return is_jpeg and _JPEG_END not in content[-_LONGEST_TAIL:].tobytes()


def _check_blocks(encoding: str, height: int, width: int, block: tuple[int, int]) -> None:
    if width % block[0] or height % block[1]:
        raise ImageError(
            f"width and height of a {encoding} image must be multiples of {block[0]} and "
            f"{block[1]}, got {width}x{height}; correct what sends it"
        )
