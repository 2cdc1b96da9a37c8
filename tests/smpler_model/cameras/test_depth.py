"""Depth images in metres."""

import struct

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smpler_model.cameras.depth import decode_compressed_depth, decode_raw_depth
from smpler_model.cameras.encodings import ImageError

NAN = float("nan")
MILLIMETRES = np.array([[0, 1000, 2500], [65535, 1, 400]], np.uint16)
METRES = np.array([[NAN, 1, 2.5], [65.535, 0.001, 0.4]], np.float32)


def decode(encoding: str, values: NDArray[np.generic], **changes: object) -> NDArray[np.float32]:
    height, width = values.shape
    fields: dict[str, object] = {
        "encoding": encoding,
        "height": height,
        "width": width,
        "step": width * values.itemsize,
        "data": values.tobytes(),
        "is_bigendian": False,
    }
    return decode_raw_depth(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["16UC1", "mono16"])
@pytest.mark.parametrize("is_bigendian", [False, True])
def test_millimetres(encoding: str, is_bigendian: bool) -> None:
    values = MILLIMETRES.astype(">u2" if is_bigendian else "<u2")
    got = decode(encoding, values, is_bigendian=is_bigendian)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, METRES, rtol=1e-6)


@pytest.mark.parametrize("is_bigendian", [False, True])
def test_metres(is_bigendian: bool) -> None:
    values = np.array([[0, 1, np.inf], [NAN, -1, 7.25]], ">f4" if is_bigendian else "<f4")
    got = decode("32FC1", values, is_bigendian=is_bigendian)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.array([[NAN, 1, NAN], [NAN, NAN, 7.25]], np.float32))


def test_padded_rows() -> None:
    rows = np.pad(MILLIMETRES, ((0, 0), (0, 2)), constant_values=9)
    got = decode("16UC1", rows, width=3)
    np.testing.assert_allclose(got, METRES, rtol=1e-6)


def test_the_result_is_a_copy() -> None:
    data = bytearray(np.ones((2, 2), "<f4").tobytes())
    got = decode("32FC1", np.ones((2, 2), "<f4"), data=data)
    data[:] = bytes(16)
    np.testing.assert_array_equal(got, np.ones((2, 2)))


def test_nothing_measured() -> None:
    assert np.isnan(decode("32FC1", np.zeros((3, 3), "<f4"))).all()
    assert np.isnan(decode("16UC1", np.zeros((3, 3), "<u2"))).all()


def test_millimetres_in_floats_are_refused() -> None:
    with pytest.raises(ImageError, match=r"must be in metres .* got a median of 2300; convert"):
        decode("32FC1", np.full((40, 40), 2300, "<f4"))


def test_a_few_far_pixels_are_accepted() -> None:
    values = np.full((40, 40), 2.0, "<f4")
    values[:8] = 1000
    assert decode("32FC1", values)[0, 0] == 1000


@pytest.mark.parametrize(
    ("encoding", "changes", "sentence"),
    [
        ("rgb8", {}, "must be 32FC1 .* got 'rgb8'"),
        ("64FC1", {}, "must be 32FC1 .* got '64FC1'"),
        ("32FC1", {}, "at least 12 bytes, got 6"),
        ("16UC1", {"height": 3}, "at least 18 bytes, got fewer"),
        ("16UC1", {"height": 0}, "must have pixels"),
    ],
)
def test_broken_images_are_refused(
    encoding: str, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode(encoding, MILLIMETRES, **changes)


def png_of(values: NDArray[np.generic]) -> bytes:
    done, content = cv2.imencode(".png", values)
    assert done
    return content.tobytes()


def test_compressed_millimetres() -> None:
    content = struct.pack("<iff", 0, 0, 0) + png_of(MILLIMETRES)
    for image_format in ("16UC1; compressedDepth png", "16UC1; compressedDepth"):
        np.testing.assert_allclose(
            decode_compressed_depth(image_format, content), METRES, rtol=1e-6
        )
    np.testing.assert_allclose(
        decode_compressed_depth("16UC1; png compressed ", png_of(MILLIMETRES)), METRES, rtol=1e-6
    )


def test_compressed_inverse_depth() -> None:
    """Quantised as `compressed_depth_image_transport` does: q = A / z + B, q = 0 for nothing."""
    a, b = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
    metres = np.array([[NAN, 1.0, 2.5], [9.5, 0.7, 4.0]])
    quantised = np.nan_to_num(a / metres + b, nan=0.0).round().astype(np.uint16)
    content = struct.pack("<iff", 0, a, b) + png_of(quantised)
    got = decode_compressed_depth("32FC1; compressedDepth png", content)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, metres, rtol=0.006)


@pytest.mark.parametrize(
    ("image_format", "content", "sentence"),
    [
        ("16UC1; compressedDepth rvl", b"", "must be stored as PNG, got RVL"),
        ("16UC1; compressedDepth png", b"", "must hold a 16-bit PNG of one channel, got none"),
        ("32FC1; compressedDepth png", bytes(40), "must hold a 16-bit PNG"),
        ("jpeg", png_of(np.zeros((2, 2, 3), np.uint8)), r"got \(2, 2, 3\) uint8"),
    ],
)
def test_broken_pictures_are_refused(image_format: str, content: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode_compressed_depth(image_format, content)
