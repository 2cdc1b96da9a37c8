"""RGB pixels from the fields of ROS image messages, without ROS.

Encodings are those of `sensor_msgs/image_encodings`. One decoder serves the live node and bags:
OpenCV converts arrays that are views of the message's bytes. Neither `cv_bridge` nor
`rosbags-image` suffices: the first does not import under NumPy 2 in several distributions, the
second ignores `step` and misreads the planes of NV12.

Images whose encoding has no colour order (8UC3, 8UC4) are read as BGR, as in RViz.
"""

import math
from array import array
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from smpler_model.array_types import RgbImage
from smpler_model.cameras.picture_header import read_header
from smpler_model.notices import Notify

Bytes = NDArray[np.uint8]
Buffer: TypeAlias = "bytes | bytearray | memoryview | array[int] | NDArray[np.uint8]"
"""Data of a message: `array.array` in rclpy, NumPy arrays in rosbags."""

Yuv422 = Literal["uyvy", "yuyv"]
"""Byte orders of two neighbouring pixels: chrominance first, or luminance first."""

DEFAULT_JPEG_QUALITY = 85
DEFAULT_YUV422: Yuv422 = "uyvy"  # as sensor_msgs/image_encodings defines yuv422
YUV422 = "yuv422"
DEPTH_ENCODINGS = frozenset({"16UC1", "32FC1"})
"""Encodings of depth images according to REP 118."""

MOST_LETTERS = 60
"""Maximum length of a message's text quoted in an error."""

MOST_PIXELS = 1 << 26
"""Maximum number of pixels of an image; a file of a megabyte can claim a thousand times as
many."""


class ImageError(ValueError):
    """An image cannot be decoded; the message states the reason and a remedy."""


@dataclass(frozen=True)
class _Packing:
    """Memory layout of an encoding's pixels.

    Attributes:
        channels: numbers per pixel.
        bits: bits per number.
        to_rgb: OpenCV's conversion code; None if the numbers are already RGB.
        block: width and height must be multiples of its (width, height).
    """

    channels: int
    bits: int
    to_rgb: int | None
    block: tuple[int, int] = (1, 1)


def _with_16_bits(packings: dict[str, _Packing]) -> dict[str, _Packing]:
    """Add the 16-bit variants, whose names end in 16 instead of 8."""
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
    "16UC3": _Packing(3, 16, cv2.COLOR_BGR2RGB),
    "16UC4": _Packing(4, 16, cv2.COLOR_BGRA2RGB),
    "uyvy": _Packing(2, 8, cv2.COLOR_YUV2RGB_UYVY, (2, 1)),
    YUV422: _Packing(2, 8, cv2.COLOR_YUV2RGB_UYVY, (2, 1)),
    "yuyv": _Packing(2, 8, cv2.COLOR_YUV2RGB_YUYV, (2, 1)),
    "yuv422_yuy2": _Packing(2, 8, cv2.COLOR_YUV2RGB_YUYV, (2, 1)),
}

# One plane after the other: luminance in full size, then pairs of chrominance.
_HALF_PLANES = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
_FULL_PLANES = "nv24"
# ITU-R BT.601, as OpenCV uses it for the other YUV encodings: Y from 16, U and V around 128.
_RGB_FROM_YUV = np.array([[1.164, 0, 1.596], [1.164, -0.391, -0.813], [1.164, 2.018, 0]])
_RGB_FROM_YUV1 = np.column_stack([_RGB_FROM_YUV, -_RGB_FROM_YUV @ (16, 128, 128)])

BAYER_ENCODINGS = frozenset(name for name in _PACKINGS if name.startswith("bayer_"))
"""Encodings of raw Bayer mosaics."""

ENCODINGS = frozenset(_PACKINGS) | frozenset(_HALF_PLANES) | {_FULL_PLANES}
"""Encodings that `decode_raw` reads."""

# Grey or BGR, not rotated by EXIF, which would break the match with the calibration.
_PICTURE = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_FULL_RANGE = 65535
_SENSOR_BITS = (10, 12, 14)
_STRETCH_PERCENT = (0.5, 99.5)
_SAMPLE_PIXELS = 1 << 16  # from which the stretch is computed
_MOST_ROW_SURPLUS = 255  # bytes: rows are aligned to 256 at most
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_LONGEST_TAIL = 4096  # cameras pad the last block that they transfer


def decode_raw(
    *,
    encoding: str,
    height: int,
    width: int,
    step: int,
    data: Buffer,
    is_bigendian: bool,
    yuv422: Yuv422 = DEFAULT_YUV422,
    note: Notify | None = None,
) -> RgbImage:
    """Return the pixels of a `sensor_msgs/Image` as RGB.

    Args:
        encoding: one of `ENCODINGS`.
        height: number of rows.
        width: pixels per row.
        step: bytes per row, including padding.
        data: the bytes.
        is_bigendian: whether 16-bit numbers are big-endian.
        yuv422: meaning of the encoding `yuv422`: drivers older than the name `yuv422_yuy2` use it
            for both byte orders.
        note: called with warnings.

    Returns:
        (h, w, 3) uint8 RGB. For rgb8 it is a view of `data`, padded rows included: copy it before
        writing to it. 16-bit images are scaled, see `_eight_bits`.

    Raises:
        ImageError: an unknown encoding, no pixels or too many, a wrong step, too few bytes.
    """
    content = np.frombuffer(data, np.uint8)
    if encoding not in ENCODINGS and (plain := encoding.lower().replace("-", "_")) in ENCODINGS:
        encoding = plain  # drivers also publish RGB8 and YUV422-YUY2
    if encoding in _HALF_PLANES:
        return _decode_half_planes(encoding, height, width, step, content, note)
    if encoding == _FULL_PLANES:
        return _decode_full_planes(height, width, step, content)
    _check_colour(encoding)
    if encoding not in _PACKINGS:
        raise ImageError(
            f"the image's encoding must be one of {', '.join(sorted(ENCODINGS))}, got "
            f"'{encoding[:MOST_LETTERS]}'; set the camera's driver to one of these"
        )
    if encoding == YUV422:
        encoding = _choose_yuv422(yuv422, note)
    packing = _PACKINGS[encoding]
    _check_blocks(encoding, height, width, packing.block)
    kind = np.dtype(f"u{packing.bits // 8}").newbyteorder(">" if is_bigendian else "<")
    pixels = lay_over(content, encoding, height, width, step, packing.channels, kind, note)
    is_grey = packing.to_rgb == cv2.COLOR_GRAY2RGB
    return _rgb_from(_eight_bits(pixels, grey=is_grey), packing.to_rgb)


def decode_compressed(image_format: str, data: Buffer) -> RgbImage:
    """Return the pixels of a `sensor_msgs/CompressedImage` as RGB.

    Args:
        image_format: its `format`, as written by `compressed_image_transport`; other texts are
            accepted, as the content determines the format (JPEG, PNG and others that OpenCV
            reads).
        data: its bytes.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        ImageError: a depth image, or bytes that are no image.
    """
    original = image_format.partition(";")[0].strip()
    if "compressedDepth" in image_format:
        raise ImageError(
            "the image must be a colour image, got a depth image "
            f"('{image_format[:MOST_LETTERS]}'); name the camera's colour topic"
        )
    _check_colour(original)
    content = np.frombuffer(data, np.uint8)
    is_complete = len(content) > 0 and not _breaks_off(content)
    picture = decode_picture(content, _PICTURE) if is_complete else None
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise ImageError(
            "a compressed image must hold a whole JPEG or PNG picture, got "
            f"{'a part of one or something else' if len(content) else 'no bytes'} (format "
            f"'{image_format[:MOST_LETTERS]}'); fix the publisher"
        )
    is_mosaic = original in BAYER_ENCODINGS
    pixels = _eight_bits(picture, grey=picture.ndim == 2 and not is_mosaic)
    if picture.ndim == 3:
        return _rgb_from(pixels, cv2.COLOR_BGR2RGB)
    # The transport stores the raw mosaic of a Bayer sensor as a grey image.
    grey = _PACKINGS[original if is_mosaic else "mono8"]
    return _rgb_from(pixels, grey.to_rgb)


def decode_picture(content: NDArray[np.uint8], flags: int) -> NDArray[Any] | None:
    """Decode the bytes of an image file with OpenCV; return None if it is no image.

    Raises:
        ImageError: its header states more than `MOST_PIXELS`.
    """
    header = read_header(content)
    if header is None:
        return None
    _check_pixels(header.width, header.height)
    try:
        return cv2.imdecode(content, flags)
    except cv2.error:  # what OpenCV cannot decode or has no memory for
        return None


def encode_jpeg(rgb: RgbImage, quality: int = DEFAULT_JPEG_QUALITY) -> bytes:
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
    note: Notify | None = None,
) -> NDArray[np.generic]:
    """Return a view of a message's bytes as an array, without a copy.

    Args:
        content: the bytes.
        encoding: encoding, for error messages.
        height: number of rows.
        width: pixels per row.
        step: bytes per row, including padding; the last row needs no padding.
        channels: numbers per pixel.
        kind: data type of the numbers.
        note: called with warnings, such as more bytes than `step` states.

    Returns:
        (h, w, channels) view.

    Raises:
        ImageError: no pixels or too many, a wrong step, too few bytes.
    """
    size = np.dtype(kind).itemsize
    row = width * channels * size
    if height < 1 or width < 1:
        raise ImageError(f"an image must have pixels, got {width}x{height}; fix the publisher")
    _check_pixels(width, height)
    if step < row:
        raise ImageError(
            f"the step of a {encoding} image {width} pixels wide must be at least {row} bytes, "
            f"got {step}; fix the publisher"
        )
    step = _true_step(height, step, len(content), note)
    needed = step * (height - 1) + row
    if len(content) < needed:
        raise ImageError(
            f"a {encoding} image of {width}x{height} must have at least {needed} bytes, got "
            "fewer; fix the publisher"
        )
    shape, strides = (height, width, channels), (step, channels * size, size)
    return np.ndarray(shape, kind, content, strides=strides)


def _decode_half_planes(
    encoding: str, height: int, width: int, step: int, content: Bytes, note: Notify | None
) -> RgbImage:
    """Return RGB from a plane of luminance and one of chrominance at half the resolution."""
    _check_blocks(encoding, height, width, (2, 2))
    # Some drivers count the bytes of all planes in `step` although rows are not padded.
    step = width if len(content) == height * width * 3 // 2 else step
    planes = lay_over(content, encoding, height * 3 // 2, width, step, 1, np.uint8, note)
    return _rgb_from(np.ascontiguousarray(planes, np.uint8), _HALF_PLANES[encoding])


def _decode_full_planes(height: int, width: int, step: int, content: Bytes) -> RgbImage:
    """Return RGB from a plane of luminance and one of chrominance at full resolution."""
    step = width if len(content) == height * width * 3 else step
    y = lay_over(content[: height * step], _FULL_PLANES, height, width, step, 1, np.uint8)
    rest = content[height * step :]
    uv = lay_over(rest, _FULL_PLANES, height, width, 2 * step, 2, np.uint8)
    yuv = np.concatenate([y, uv], axis=2)
    return np.asarray(cv2.transform(yuv, _RGB_FROM_YUV1), np.uint8)


def _eight_bits(pixels: NDArray[np.generic], *, grey: bool) -> RgbImage:
    """Scale 8 or 16-bit numbers to 8 bits, as bright as possible.

    Sensors of 10 to 14 bits leave the upper bits empty, and grey images of thermal cameras use a
    small part of the range: grey is stretched between its smallest and largest values, except half
    a percent at each end, unless they are already half the range apart. Colours keep their
    proportions.
    """
    if pixels.dtype.itemsize == 1:
        return pixels.view(np.uint8)
    native = np.require(pixels, np.uint16, ["A", "C"])
    low, high = 0.0, float(_FULL_RANGE)
    if grey:
        stride = max(1, math.isqrt(native.size // _SAMPLE_PIXELS))
        low, high = np.percentile(native[::stride, ::stride], _STRETCH_PERCENT)
    if high - low > _FULL_RANGE / 2:
        low = 0.0
        high = _FULL_RANGE if grey else _range_of(int(native.max()))
    scale = 255 / max(high - low, 1.0)
    offset = -low * scale
    if low == 0:
        return np.asarray(cv2.convertScaleAbs(native, alpha=scale), np.uint8).reshape(pixels.shape)
    stretched = native.astype(np.float32) * np.float32(scale) + np.float32(offset)
    return np.asarray(np.rint(stretched.clip(0, 255)), np.uint8)


def _range_of(largest: int) -> int:
    """Return the largest number that the sensor can produce, judged by the bits in use."""
    return next((2**bits - 1 for bits in _SENSOR_BITS if largest < 2**bits), _FULL_RANGE)


def _rgb_from(pixels: RgbImage, to_rgb: int | None) -> RgbImage:
    return pixels if to_rgb is None else np.asarray(cv2.cvtColor(pixels, to_rgb), np.uint8)


def _breaks_off(content: Bytes) -> bool:
    """Return whether a JPEG has no end marker; some versions of OpenCV fill the rest with grey."""
    is_jpeg = content[:2].tobytes() == _JPEG_BEGIN
    return is_jpeg and _JPEG_END not in content[-_LONGEST_TAIL:].tobytes()


def _check_colour(encoding: str) -> None:
    if encoding in DEPTH_ENCODINGS:
        raise ImageError(
            f"the image must be a colour image, got a depth image ('{encoding}'); name the "
            "camera's colour topic"
        )


def _check_pixels(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ImageError(
            f"an image may have up to {MOST_PIXELS / 1e6:.0f} million pixels, got one of "
            f"{width}x{height}; scale it down, or fix the publisher"
        )


def _choose_yuv422(order: Yuv422, note: Notify | None) -> str:
    if order == "uyvy" and note:
        note(
            "images are labelled yuv422, which means UYVY, but older drivers use it for YUYV too; "
            "if people look green or violet, set yuv422 to yuyv"
        )
    return "yuv422_yuy2" if order == "yuyv" else "uyvy"


def _true_step(height: int, step: int, got: int, note: Notify | None) -> int:
    """Return the actual distance of rows, bytes, if more bytes came than `step` states.

    Drivers that align rows may not say so: the surplus per row is then equal and small.
    """
    surplus = got - step * height
    if surplus <= 0:
        return step
    each, rest = divmod(surplus, height)
    if rest == 0 and each <= _MOST_ROW_SURPLUS:
        if note:
            note(
                f"images have {got // height} bytes per row but step {step}: the actual rows are "
                "used; fix the step in the publisher"
            )
        return step + each
    if note:
        note(
            f"images have more bytes than their {height} rows of {step}, which are ignored; fix "
            "the publisher"
        )
    return step


def _check_blocks(encoding: str, height: int, width: int, block: tuple[int, int]) -> None:
    if width % block[0] or height % block[1]:
        raise ImageError(
            f"width and height of a {encoding} image must be multiples of {block[0]} and "
            f"{block[1]}, got {width}x{height}; fix the publisher"
        )
