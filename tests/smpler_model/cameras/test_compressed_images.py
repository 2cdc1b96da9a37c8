"""Compressed image messages."""

import re

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from smpler_model.cameras.encodings import ImageError, decode_compressed, encode_jpeg
from tests.smpler_model.cameras.test_encodings import Bytes, alpha, decode, grey, picture


def encoded(extension: str, image: NDArray[np.generic]) -> Bytes:
    done, content = cv2.imencode(extension, image)
    assert done
    return np.asarray(content)


@pytest.mark.parametrize("image_format", ["rgb8; png compressed bgr8", "png", ""])
def test_png(image_format: str) -> None:
    rgb = picture()
    got = decode_compressed(image_format, encoded(".png", rgb[..., ::-1]))
    np.testing.assert_array_equal(got, rgb)


def test_png_with_alpha_and_16_bits() -> None:
    bgra = alpha(picture()[..., ::-1])
    np.testing.assert_array_equal(decode_compressed("png", encoded(".png", bgra)), picture())
    bgr16 = picture()[..., ::-1].astype(np.uint16) * 257
    np.testing.assert_array_equal(decode_compressed("png", encoded(".png", bgr16)), picture())


def test_jpeg_round_trip() -> None:
    rgb = picture()
    got = decode_compressed("rgb8; jpeg compressed bgr8", encode_jpeg(rgb, 100))
    np.testing.assert_allclose(got.astype(int), rgb.astype(int), atol=12)
    assert len(encode_jpeg(rgb, 10)) < len(encode_jpeg(rgb, 100))


def test_grey_picture() -> None:
    mono = np.ascontiguousarray(picture()[..., 1])
    got = decode_compressed("mono8; png compressed ", encoded(".png", mono))
    np.testing.assert_array_equal(got, grey(picture()))


def test_compressed_thermal_image() -> None:
    values = np.tile(np.linspace(7000, 8200, 32).astype(np.uint16), (24, 1))
    got = decode_compressed("mono16; png compressed ", encoded(".png", values))[0, :, 0]
    np.testing.assert_allclose(got, np.linspace(0, 255, 32), atol=1)


def test_a_small_file_of_a_large_image_is_refused() -> None:
    content = encoded(".png", np.zeros((9000, 9000), np.uint8))
    assert len(content) < 100_000
    with pytest.raises(ImageError, match="up to 67 million pixels, got one of 9000x9000; scale"):
        decode_compressed("png", content)


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".jp2", ".ppm"])
def test_every_image_format(extension: str) -> None:
    rgb = np.repeat(np.repeat(picture(), 4, 0), 4, 1)
    got = decode_compressed("", encoded(extension, rgb[..., ::-1]))
    assert np.abs(got.astype(int) - rgb).mean() < 6


def test_compressed_mosaic_is_demosaiced() -> None:
    mosaic = np.random.default_rng(0).integers(0, 255, (16, 16), np.uint8)
    got = decode_compressed("bayer_gbrg8; png compressed ", encoded(".png", mosaic))
    np.testing.assert_array_equal(got, decode("bayer_gbrg8", mosaic, 16, 16))


def test_an_image_that_claims_too_many_pixels_is_refused() -> None:
    jpeg = encode_jpeg(picture(16, 48))
    size = jpeg.index(b"\xff\xc0") + 5
    huge = jpeg[:size] + (50_000).to_bytes(2, "big") * 2 + jpeg[size + 4 :]
    with pytest.raises(ImageError, match="up to 67 million pixels, got one of 50000x50000"):
        decode_compressed("jpeg", huge)


def test_exif_orientation_is_ignored() -> None:
    jpeg = encode_jpeg(picture(16, 48))
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0" + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (48, 16, 3)
    assert decode_compressed("jpeg", turned).shape == (16, 48, 3)


@pytest.mark.parametrize(
    ("image_format", "data", "sentence"),
    [
        ("jpeg", b"", "must hold a whole JPEG or PNG picture, got no bytes"),
        ("jpeg", b"\xff\xd8 no picture", "got a part of one or something else"),
        ("16UC1; compressedDepth png", b"", "must be a colour image, got a depth image"),
        ("16UC1; png compressed ", b"", "got a depth image ('16UC1'); name the camera's"),
    ],
)
def test_broken_pictures_are_refused(image_format: str, data: bytes, sentence: str) -> None:
    with pytest.raises(ImageError, match=re.escape(sentence)):
        decode_compressed(image_format, data)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_truncated_images_are_refused(extension: str, part: float) -> None:
    content = encoded(extension, picture(240, 320))
    with pytest.raises(ImageError, match="must hold a whole JPEG or PNG picture"):
        decode_compressed("", content[: int(part * len(content))])


def test_a_padded_jpeg() -> None:
    content = encode_jpeg(picture())
    np.testing.assert_array_equal(
        decode_compressed("", content + bytes(500)), decode_compressed("", content)
    )
