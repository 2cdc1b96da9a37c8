"""Properties of an image file that are known before it is decompressed."""

import struct

import cv2
import numpy as np
import pytest

from smpler_model.cameras.picture_header import PictureHeader, read_header
from tests.smpler_model.cameras.test_compressed_images import encoded

KINDS = (".jpg", ".png", ".bmp", ".tiff", ".webp", ".jp2", ".ppm", ".pgm", ".pbm")


def tags_of(orientation: int, order: str = "<") -> bytes:
    """Return an EXIF block, which is a TIFF, with one tag."""
    begin = b"II*\0" if order == "<" else b"MM\0*"
    return begin + struct.pack(f"{order}IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def turned_jpeg(rgb: np.ndarray, orientation: int, order: str = "<") -> bytes:
    jpeg = encoded(".jpg", rgb[..., ::-1]).tobytes()
    exif = b"Exif\0\0" + tags_of(orientation, order)
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]


def header_of(content: bytes) -> PictureHeader | None:
    return read_header(np.frombuffer(content, np.uint8))


@pytest.mark.parametrize("extension", KINDS)
@pytest.mark.parametrize(("height", "width"), [(64, 64), (97, 203)])
def test_sizes(extension: str, height: int, width: int) -> None:
    image = np.full((height, width), 77, np.uint8)
    if extension not in (".pgm", ".pbm"):
        image = np.dstack([image] * 3)
    assert read_header(encoded(extension, image)) == PictureHeader(width, height)


def test_kinds_of_jpeg_and_webp() -> None:
    image = np.random.default_rng(0).integers(0, 255, (40, 72, 3), np.uint8)
    progressive = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
    whole = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
    lossy = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 50])[1]
    for content in (progressive, whole, lossy):
        assert read_header(content) == PictureHeader(72, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientations(orientation: int, order: str) -> None:
    content = turned_jpeg(np.zeros((40, 72, 3), np.uint8), orientation, order)
    assert header_of(content) == PictureHeader(72, 40, orientation)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_invalid_orientations(orientation: int) -> None:
    content = turned_jpeg(np.zeros((40, 72, 3), np.uint8), orientation)
    assert header_of(content) == PictureHeader(72, 40)


@pytest.mark.parametrize("extension", KINDS)
def test_truncated_headers_give_none(extension: str) -> None:
    image = np.zeros((64, 64) if extension in (".pgm", ".pbm") else (64, 64, 3), np.uint8)
    assert header_of(encoded(extension, image).tobytes()[:5]) is None


@pytest.mark.parametrize("chunk", [b"IDAT", b"IEND"])
def test_a_chunk_larger_than_the_file_gives_none(chunk: bytes) -> None:
    content = bytearray(encoded(".png", np.zeros((64, 64, 3), np.uint8)).tobytes())
    at = content.index(chunk)
    content[at - 4 : at] = (2_000_000_000).to_bytes(4, "big")
    assert header_of(bytes(content)) is None


@pytest.mark.parametrize("content", [b"", b"\xff", b"GIF89a" + bytes(50), bytes(100)])
def test_other_bytes_give_none(content: bytes) -> None:
    assert header_of(content) is None
