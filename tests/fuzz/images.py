"""Image messages: raw, compressed, and depth."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import cv2
import numpy as np

from smpler_model.cameras.depth import decode_compressed_depth, decode_raw_depth
from smpler_model.cameras.encodings import ENCODINGS, decode_compressed, decode_raw
from smpler_model.cameras.picture_header import read_header
from tests.fuzz.mutations import edge, mutate_bytes
from tests.fuzz.target import Target

Fields = Mapping[str, Any]

_HEIGHT, _WIDTH = 12, 16
_DEPTH_HEADER = np.array([0, 100, 1], np.float32).tobytes()
_FORMATS = (
    *("", "jpeg", "png", "rgb8; png compressed bgr8", "mono16; png compressed ", ";;;"),
    *("bayer_rggb8; png compressed ", "bayer_rggb16; png compressed ", "x" * 100_000, "\0", "é"),
    *("16UC1; compressedDepth", "32FC1; compressedDepth png", "16UC1; compressedDepth RVL"),
)


def raw() -> Target:
    """Fields of a `sensor_msgs/Image`."""
    encodings = sorted(ENCODINGS)
    samples = [_raw(encoding, 8 * _WIDTH) for encoding in encodings]
    return Target(lambda fields: decode_raw(**fields), samples, _mutate_fields)


def raw_depth() -> Target:
    """Fields of a `sensor_msgs/Image` with depth."""
    samples = [_raw("16UC1", 2 * _WIDTH), _raw("32FC1", 4 * _WIDTH)]
    return Target(lambda fields: decode_raw_depth(**fields), samples, _mutate_fields)


def compressed() -> Target:
    """Format and data of a `sensor_msgs/CompressedImage`."""
    y, x = np.mgrid[:_HEIGHT, :_WIDTH]
    bgr = np.stack([9 * x, 9 * y, x + y], 2).astype(np.uint8)
    pictures = [_encode(kind, bgr) for kind in (".jpg", ".png", ".bmp", ".tiff", ".webp", ".ppm")]
    pictures += [_encode(".png", bgr.astype(np.uint16) * 200), _encode(".png", bgr[..., 0])]
    samples = [("", content) for content in pictures]
    return Target(lambda pair: decode_compressed(*pair), samples, _mutate_pair)


def orientation() -> Target:
    """Headers of image files."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    jpeg = _encode(".jpg", np.zeros((_HEIGHT, _WIDTH, 3), np.uint8))
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    return Target(lambda content: read_header(np.frombuffer(content, np.uint8)), [turned])


def compressed_depth() -> Target:
    """Format and data of a compressed depth image."""
    depth = (np.arange(_HEIGHT * _WIDTH, dtype=np.uint16) * 50).reshape(_HEIGHT, _WIDTH)
    content = _encode(".png", depth)
    samples = [
        ("16UC1; compressedDepth png", _DEPTH_HEADER + content),
        ("32FC1; compressedDepth png", _DEPTH_HEADER + content),
        ("16UC1; png compressed ", content),
    ]
    return Target(lambda pair: decode_compressed_depth(*pair), samples, _mutate_pair)


def _raw(encoding: str, step: int) -> dict[str, Any]:
    return {
        "encoding": encoding,
        "height": _HEIGHT,
        "width": _WIDTH,
        "step": step,
        "data": np.full(step * _HEIGHT * 3, 3, np.uint8).tobytes(),
        "is_bigendian": False,
    }


def _encode(extension: str, image: np.ndarray) -> bytes:
    done, content = cv2.imencode(extension, image)
    assert done
    return content.tobytes()


def _mutate_fields(sample: Fields, random: Random, _: Sequence[Fields]) -> dict[str, Any]:
    fields = dict(sample)
    for _ in range(random.randint(1, 3)):
        name = random.choice(list(fields))
        fields[name] = _mutate_field(name, fields[name], random)
    return fields


def _mutate_field(name: str, value: Any, random: Random) -> Any:  # noqa: ANN401 (of any field)
    match name:
        case "encoding":
            return random.choice([*sorted(ENCODINGS), "16UC1", "32FC1", "", "rgb", "x" * 100_000])
        case "data":
            return mutate_bytes(value, random, [value])
        case "is_bigendian":
            return not value
        case _:
            return edge(random, 2**32 - 1)


def _mutate_pair(
    sample: tuple[str, bytes], random: Random, samples: Sequence[tuple[str, bytes]]
) -> tuple[str, bytes]:
    image_format, content = sample
    if random.random() < 0.2:
        image_format = random.choice(_FORMATS)
    return image_format, mutate_bytes(content, random, [each for _, each in samples])
