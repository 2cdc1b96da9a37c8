"""Pixels from the fields of raw image messages."""

from array import array
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from rosbags.image import message_to_cvimage
from rosbags.typesys import Stores, get_typestore

from smpler_model.cameras.encodings import (
    BAYER_ENCODINGS,
    ENCODINGS,
    ImageError,
    decode_raw,
)

Bytes = NDArray[np.uint8]

RGB_OF_SITES = {"r": 0, "g": 1, "b": 2}
# Rounded Y, U and V determine an RGB only up to this many steps.
YUV_TOLERANCE = 3


def picture(height: int = 24, width: int = 32) -> Bytes:
    """Return a smooth colourful image: every channel has its own gradient."""
    y, x = np.mgrid[:height, :width]
    channels = (8 * x, 255 - 10 * y, 60 + 2 * x + 3 * y)
    return np.stack(channels, 2).clip(0, 255).astype(np.uint8)


def yuv_of(rgb: Bytes) -> tuple[Bytes, Bytes, Bytes]:
    """Return luminance and chrominance, (h, w) each, by ITU-R BT.601."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), 2, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    as_bytes = [np.rint(plane).clip(0, 255).astype(np.uint8) for plane in (y, u, v)]
    return as_bytes[0], as_bytes[1], as_bytes[2]


def in_pairs(rgb: Bytes) -> Bytes:
    """Give pairs of pixels the same colour, so that halving the chrominance loses nothing."""
    return np.repeat(np.repeat(rgb[::2, ::2], 2, 0), 2, 1)


def packed_uyvy(rgb: Bytes, order: str) -> Bytes:
    y, u, v = yuv_of(rgb)
    named = {"u": u[:, ::2], "v": v[:, ::2], "y": y[:, ::2], "Y": y[:, 1::2]}
    return np.stack([named[name] for name in order], 2).reshape(len(rgb), -1)


def planar(rgb: Bytes, order: str, stride: int) -> Bytes:
    y, u, v = yuv_of(rgb)
    named = {"u": u[::stride, ::stride], "v": v[::stride, ::stride]}
    colours = np.stack([named[name] for name in order], 2)
    return np.concatenate([y.ravel(), colours.ravel()]).reshape(-1, rgb.shape[1])


def deep(rows: Bytes) -> Bytes:
    """Return the bytes of 16-bit numbers 257 times as large, low byte first."""
    return (rows.astype("<u2") * 257).view(np.uint8)


def grey(rgb: Bytes) -> Bytes:
    return np.repeat(rgb[..., 1:2], 3, 2)


def alpha(rgb: Bytes) -> Bytes:
    return np.dstack([rgb, np.full(rgb.shape[:2], 7, np.uint8)])


def flat(pixels: Bytes) -> Bytes:
    return pixels.reshape(len(pixels), -1)


CASES: dict[str, tuple[Callable[[Bytes], Bytes], Callable[[Bytes], Bytes], int]] = {
    # encoding: (visible part of the image, its rows of bytes, tolerance)
    "rgb8": (lambda rgb: rgb, flat, 0),
    "bgr8": (lambda rgb: rgb, lambda rgb: flat(rgb[..., ::-1]), 0),
    "rgba8": (lambda rgb: rgb, lambda rgb: flat(alpha(rgb)), 0),
    "bgra8": (lambda rgb: rgb, lambda rgb: flat(alpha(rgb[..., ::-1])), 0),
    "mono8": (grey, lambda rgb: rgb[..., 1], 0),
    "8UC1": (grey, lambda rgb: rgb[..., 1], 0),
    "8UC3": (lambda rgb: rgb, lambda rgb: flat(rgb[..., ::-1]), 0),
    "8UC4": (lambda rgb: rgb, lambda rgb: flat(alpha(rgb[..., ::-1])), 0),
    "rgb16": (lambda rgb: rgb, lambda rgb: deep(flat(rgb)), 0),
    "bgr16": (lambda rgb: rgb, lambda rgb: deep(flat(rgb[..., ::-1])), 0),
    "rgba16": (lambda rgb: rgb, lambda rgb: deep(flat(alpha(rgb))), 0),
    "bgra16": (lambda rgb: rgb, lambda rgb: deep(flat(alpha(rgb[..., ::-1]))), 0),
    "mono16": (grey, lambda rgb: deep(np.ascontiguousarray(rgb[..., 1])), 0),
    "16UC3": (lambda rgb: rgb, lambda rgb: deep(flat(rgb[..., ::-1])), 0),
    "16UC4": (lambda rgb: rgb, lambda rgb: deep(flat(alpha(rgb[..., ::-1]))), 0),
    "uyvy": (in_pairs, lambda rgb: packed_uyvy(rgb, "uyvY"), YUV_TOLERANCE),
    "yuv422": (in_pairs, lambda rgb: packed_uyvy(rgb, "uyvY"), YUV_TOLERANCE),
    "yuyv": (in_pairs, lambda rgb: packed_uyvy(rgb, "yuYv"), YUV_TOLERANCE),
    "yuv422_yuy2": (in_pairs, lambda rgb: packed_uyvy(rgb, "yuYv"), YUV_TOLERANCE),
    "nv12": (in_pairs, lambda rgb: planar(rgb, "uv", 2), YUV_TOLERANCE),
    "nv21": (in_pairs, lambda rgb: planar(rgb, "vu", 2), YUV_TOLERANCE),
    "nv24": (lambda rgb: rgb, lambda rgb: planar(rgb, "uv", 1), YUV_TOLERANCE),
}


def decode(encoding: str, rows: Bytes, height: int, width: int, /, **changes: object) -> Bytes:
    """Decode rows of bytes whose step is their length."""
    fields: dict[str, object] = {
        "encoding": encoding,
        "height": height,
        "width": width,
        "step": rows.shape[1],
        "data": np.ascontiguousarray(rows).ravel(),
        "is_bigendian": False,
    }
    return decode_raw(**{**fields, **changes})  # type: ignore[arg-type]


def padded(rows: Bytes, padding: int) -> Bytes:
    """Add padding bytes after every row."""
    return np.pad(rows, ((0, 0), (0, padding)), constant_values=99)


def padded_nv24(rows: Bytes, padding: int) -> Bytes:
    """Pad planes of which the second has rows twice as long (Video4Linux)."""
    step = rows.shape[1] + padding
    y, uv = np.split(rows, [len(rows) // 3])
    uv = padded(uv.reshape(len(y), -1), 2 * padding)
    return np.concatenate([padded(y, padding).ravel(), uv.ravel()]).reshape(-1, step)


def test_every_encoding_is_tested() -> None:
    assert set(CASES) | BAYER_ENCODINGS == ENCODINGS


@pytest.mark.parametrize("padding", [0, 1, 6])
@pytest.mark.parametrize("encoding", CASES)
def test_pixels_survive_encoding_and_decoding(encoding: str, padding: int) -> None:
    see, pack, tolerance = CASES[encoding]
    expected = see(picture())
    pad = padded_nv24 if encoding == "nv24" else padded
    rows = pad(pack(expected), padding)
    got = decode(encoding, rows, 24, 32)
    assert got.shape == (24, 32, 3)
    assert got.dtype == np.uint8
    np.testing.assert_allclose(got.astype(int), expected.astype(int), atol=tolerance)


@pytest.mark.parametrize("encoding", sorted(name for name in CASES if "16" in name))
def test_big_endian_numbers(encoding: str) -> None:
    see, pack, _ = CASES[encoding]
    expected = see(picture())
    values = pack(expected)
    swapped = values.reshape(len(values), -1, 2)[..., ::-1].reshape(values.shape)
    # 257 times a byte is equal in both byte orders: use numbers that are not.
    dim = (values.view("<u2") & 0xFF00).astype(">u2").view(np.uint8)
    np.testing.assert_array_equal(
        decode(encoding, swapped, 24, 32, is_bigendian=True), decode(encoding, values, 24, 32)
    )
    got = decode(encoding, dim, 24, 32, is_bigendian=True)
    np.testing.assert_allclose(got.astype(int), expected.astype(int), atol=1)


@pytest.mark.parametrize("encoding", ["RGB8", "Bgr8", "MONO8", "YUV422-YUY2"])
def test_names_ignore_case(encoding: str) -> None:
    known = {name.lower(): name for name in CASES}[encoding.lower().replace("-", "_")]
    see, pack, tolerance = CASES[known]
    got = decode(encoding, pack(see(picture())), 24, 32)
    np.testing.assert_allclose(got.astype(int), see(picture()).astype(int), atol=tolerance)


def thermal(low: int, high: int) -> NDArray[np.uint16]:
    """Return numbers that rise from left to right, with a dead pixel and a hot one."""
    values = np.tile(np.linspace(low, high, 320).astype(np.uint16), (240, 1))
    values[0, 0], values[10, 10] = 0, 65535
    return values


@pytest.mark.parametrize(("low", "high"), [(7000, 8200), (29_000, 31_000), (0, 4095)])
def test_a_thermal_image_is_stretched_to_its_values(low: int, high: int) -> None:
    rows = thermal(low, high).astype("<u2").view(np.uint8)
    got = decode("mono16", rows, 240, 320)[120, :, 0].astype(int)
    assert got[0] == 0
    assert got[-1] == 255
    assert (np.diff(got) >= 0).all()
    np.testing.assert_allclose(got, np.linspace(0, 255, 320), atol=3)


def test_a_thermal_image_of_one_value() -> None:
    rows = np.full((24, 32), 7000, "<u2").view(np.uint8)
    assert len(np.unique(decode("mono16", rows, 24, 32))) == 1


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["rgb16", "bayer_rggb16"])
def test_colours_of_sensors_with_fewer_bits(encoding: str, bits: int) -> None:
    rows = np.full((24, 32 * (3 if encoding == "rgb16" else 1)), 2**bits // 4, "<u2")
    rows[0, 0] = 2**bits - 1
    got = decode(encoding, rows.view(np.uint8), 24, 32)
    np.testing.assert_array_equal(got[5:], 64)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_is_refused_as_colour_image(encoding: str) -> None:
    with pytest.raises(ImageError, match=f"got a depth image .'{encoding}'.; name the camera's"):
        decode(encoding, np.zeros((24, 128), np.uint8), 24, 32)


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="up to 67 million pixels, got one of 70000x1000; scale"):
        decode("mono8", np.zeros((1000, 70_000), np.uint8), 1000, 70_000)


@pytest.mark.parametrize("encoding", sorted(BAYER_ENCODINGS))
def test_bayer_mosaics(encoding: str) -> None:
    """Pixels keep their own colour; interpolated colours are close in a smooth image."""
    rgb = picture(32, 32)
    sites = encoding.removeprefix("bayer_").rstrip("0123456789")
    mosaic = np.empty((32, 32), np.uint8)
    for place, colour in enumerate(sites):
        y, x = divmod(place, 2)
        mosaic[y::2, x::2] = rgb[y::2, x::2, RGB_OF_SITES[colour]]
    rows = deep(mosaic) if encoding.endswith("16") else mosaic
    got = decode(encoding, rows, 32, 32)
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(got[inner].astype(int), rgb[inner].astype(int), atol=6)


@pytest.mark.parametrize(
    "encoding", sorted(e for e in ENCODINGS if not e.startswith(("nv", "8UC", "16UC")))
)
def test_agrees_with_rosbags_image(encoding: str) -> None:
    """For images that the library supports: no padding, no planes, a named colour order."""
    generator = np.random.default_rng(3)
    store = get_typestore(Stores.ROS2_JAZZY)
    image_class = store.types["sensor_msgs/msg/Image"]
    depth = 16 if "16" in encoding else 8
    channels = {"rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4}.get(encoding.rstrip("0123456789"), 1)
    channels = 2 if encoding in {"uyvy", "yuv422", "yuyv", "yuv422_yuy2"} else channels
    step = 20 * channels * depth // 8
    data = generator.integers(0, 256, 12 * step, dtype=np.uint8)
    message = image_class(
        header=None,
        height=12,
        width=20,
        encoding=encoding,
        is_bigendian=0,
        step=step,
        data=data,
    )
    theirs = np.asarray(message_to_cvimage(message, "rgb8")).astype(int)
    ours = decode(encoding, data.reshape(12, step), 12, 20).astype(int)
    # The library truncates 16 bits, this decoder rounds; it demosaics before instead of after
    # that.
    np.testing.assert_allclose(ours, theirs, atol=0 if depth == 8 else 2)


def test_rgb8_is_a_view() -> None:
    rows = flat(picture())
    data = array("B", rows.tobytes())
    got = decode("rgb8", rows, 24, 32, data=data)
    data[0] = 200
    assert got[0, 0, 0] == 200
    assert np.shares_memory(got, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda b: array("B", b)])
def test_data_of_every_type(kind: Callable[[bytes], bytes]) -> None:
    rgb = picture()
    got = decode("bgr8", flat(rgb), 24, 32, data=kind(rgb[..., ::-1].tobytes()))
    np.testing.assert_array_equal(got, rgb)


def test_the_last_row_needs_no_padding() -> None:
    rows = padded(flat(picture()), 10)
    data = rows.ravel()[:-10]
    np.testing.assert_array_equal(decode("rgb8", rows, 24, 32, data=data), picture())


@pytest.mark.parametrize("encoding", ["nv12", "nv24"])
def test_step_may_count_all_planes(encoding: str) -> None:
    see, pack, tolerance = CASES[encoding]
    rows = pack(see(picture()))
    step = rows.size // 24
    got = decode(encoding, rows, 24, 32, step=step).astype(int)
    np.testing.assert_allclose(got, see(picture()).astype(int), atol=tolerance)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"encoding": "jpeg2000"}, "encoding must be one of .* got 'jpeg2000'"),
        ({"encoding": ""}, "encoding must be one of .* got ''"),
        ({"step": 95}, "step of a rgb8 image 32 pixels wide must be at least 96 bytes, got 95"),
        ({"step": 0}, "must be at least 96 bytes, got 0"),
        ({"height": 25}, "of 32x25 must have at least 2400 bytes, got fewer"),
        ({"data": b""}, "must have at least 2304 bytes, got fewer"),
        ({"height": 0}, "must have pixels, got 32x0"),
        ({"width": 0, "step": 0}, "must have pixels, got 0x24"),
        ({"encoding": "yuyv", "width": 31}, "multiples of 2 and 1, got 31x24"),
        ({"encoding": "nv12", "height": 23}, "multiples of 2 and 2, got 32x23"),
        ({"encoding": "nv24", "height": 0, "step": 32}, "must have pixels"),
        ({"encoding": "nv12", "height": 0, "step": 32}, "must have pixels"),
        ({"encoding": "nv21", "height": 400, "step": 32}, "must have at least 19200 bytes"),
    ],
)
def test_broken_images_are_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence):
        decode("rgb8", flat(picture()), 24, 32, **changes)


@given(
    encoding=st.sampled_from(sorted(ENCODINGS)),
    height=st.integers(0, 9),
    width=st.integers(0, 9),
    step=st.integers(0, 80),
    data=st.binary(max_size=500),
    is_bigendian=st.booleans(),
)
def test_any_fields_give_an_image_or_an_error(
    encoding: str, height: int, width: int, step: int, data: bytes, is_bigendian: bool
) -> None:
    try:
        rgb = decode_raw(
            encoding=encoding,
            height=height,
            width=width,
            step=step,
            data=data,
            is_bigendian=is_bigendian,
        )
    except ImageError:
        return
    assert rgb.shape == (height, width, 3)
    assert rgb.dtype == np.uint8
