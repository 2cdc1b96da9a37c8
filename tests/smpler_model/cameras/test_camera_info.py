"""Cameras from CameraInfo messages as drivers fill them in."""

from typing import Any

import numpy as np
import pytest

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.camera_info import camera_from_camera_info

LENS = (-0.28, 0.09, 0.001, -0.0008, -0.01)
K = [500, 0, 320, 0, 510, 240, 0, 0, 1]
P = [450, 0, 315, 0, 0, 455, 236, 0, 0, 0, 1, 0]
INFO: dict[str, Any] = {
    "width": 640,
    "height": 480,
    "lens": "plumb_bob",
    "coefficients": LENS,
    "k": K,
    "p": P,
    "rectified": False,
}
RAW = Camera(640, 480, 500, 510, 320, 240, "plumb_bob", LENS)
RECTIFIED = Camera(640, 480, 450, 455, 315, 236)


def read(**changes: object) -> tuple[Camera | None, list[str]]:
    """Return the camera and the warnings."""
    notes: list[str] = []
    return camera_from_camera_info(**(INFO | changes), note=notes.append), notes


def test_raw_rectified_and_uncalibrated() -> None:
    assert read() == (RAW, [])
    assert read(rectified=True) == (RECTIFIED, [])
    assert read(k=[0] * 9, p=[0] * 12) == (None, [])
    assert read(coefficients=[0.0] * 5) == (Camera(640, 480, 500, 510, 320, 240), [])


def test_the_non_zero_one_of_k_and_p_is_used() -> None:
    assert read(rectified=True, k=[0] * 9) == (RECTIFIED, [])
    assert read(rectified=True, p=[0] * 12) == (Camera(640, 480, 500, 510, 320, 240), [])
    bent = Camera(640, 480, 450, 455, 315, 236, "plumb_bob", LENS)
    assert read(k=[0] * 9) == (bent, [])


def test_binned_camera_sees_the_same_ray_in_the_block_of_a_pixel() -> None:
    full, _ = read(rectified=True)
    binned, notes = read(rectified=True, binning=(2, 2), offset=(10, 20))
    assert full is not None
    assert binned is not None
    assert notes == []
    # Binned pixel (7, 9) of the region covers the full pixels 24..25 and 38..39.
    np.testing.assert_allclose(binned.unproject([7, 9]), full.unproject([24.5, 38.5]))


@pytest.mark.parametrize("width", [2064, 516], ids=["size of the full image", "of the binned"])
def test_intrinsics_of_the_binned_image_are_used_unchanged(width: int) -> None:
    camera, notes = read(
        width=width,
        height=width * 3 // 4,
        coefficients=[],
        k=[299.5, 0, 254, 0, 299.5, 190, 0, 0, 1],
        binning=(4, 4),
        image_size=(516, 387),
    )
    assert camera == Camera(516, 387, 299.5, 299.5, 254, 190)
    (note,) = notes
    assert "binning 4x4" in note


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.1])
def test_a_principal_point_near_the_middle_means_the_full_image(factor: int, shift: float) -> None:
    size = (320 * factor, 240 * factor)
    k = [900, 0, (0.5 + shift) * size[0], 0, 900, (0.5 - shift) * size[1], 0, 0, 1]
    camera, notes = read(
        width=size[0], height=size[1], k=k, binning=(factor, factor), image_size=(320, 240)
    )
    assert camera is not None
    assert (camera.width, camera.fx) == (320, 900 / factor)
    assert notes == []


def test_incomplete_last_blocks_and_unknown_sizes() -> None:
    camera, _ = read(width=641, binning=(2, 2), image_size=(321, 240))
    assert camera is not None
    assert (camera.width, camera.height) == (321, 240)
    camera, _ = read(width=0, height=0, image_size=(640, 480))
    assert camera == RAW


@pytest.mark.parametrize(
    ("lens", "coefficients", "model", "kept"),
    [
        ("plumb_bob", [*LENS, 0, 0, 0], "plumb_bob", LENS),
        ("plumb_bob", [0.1, 0.2], "plumb_bob", (0.1, 0.2, 0, 0)),
        ("Plumb Bob", LENS, "plumb_bob", LENS),
        ("radtan", LENS[:4], "plumb_bob", LENS[:4]),
        ("brown_conrady", LENS, "plumb_bob", LENS),
        ("BROWN-CONRADY", LENS, "plumb_bob", LENS),
        ("", LENS, "plumb_bob", LENS),
        ("rational_polynomial", LENS, "plumb_bob", LENS),
        ("rational_polynomial", [*LENS, 0.1, 0, 0, 0], "rational_polynomial", (*LENS, 0.1, 0, 0)),
        ("fisheye", [0.1, 0.2, 0.3, 0.4], "equidistant", (0.1, 0.2, 0.3, 0.4)),
        ("kannala_brandt4", [0.1, 0.2, 0.3, 0.4], "equidistant", (0.1, 0.2, 0.3, 0.4)),
        ("equi", [0.1, 0.2, 0.3, 0.4], "equidistant", (0.1, 0.2, 0.3, 0.4)),
        ("equidistant", [0.1, 0.2, 0.3, 0.4, 0], "equidistant", (0.1, 0.2, 0.3, 0.4)),
        ("inverse_brown_conrady", [0, 0, 0, 0, 0], "none", ()),
    ],
)
def test_lenses_under_any_name(
    lens: str, coefficients: list[float], model: str, kept: tuple[float, ...]
) -> None:
    camera, notes = read(lens=lens, coefficients=coefficients)
    assert camera is not None
    assert (camera.lens, camera.coefficients, camera.calibrated) == (model, kept, True)
    assert notes == []


def test_more_coefficients_than_plumb_bob_mean_rational_polynomial() -> None:
    camera, (note,) = read(coefficients=[*LENS, 0.1, 0.2, 0.3])
    assert camera is not None
    assert (camera.lens, len(camera.coefficients)) == ("rational_polynomial", 8)
    assert "'plumb_bob' with 8 coefficients is interpreted as rational_polynomial" in note


@pytest.mark.parametrize(
    ("lens", "coefficients"),
    [
        ("double_sphere", [0.1, 0.2]),
        ("inverse_brown_conrady", LENS),
        ("equidistant", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("plumb_bob", [0.1] * 20),
        ("plumb_bob", [float("nan")] * 5),
    ],
)
def test_an_unknown_lens_is_ignored_and_flagged(lens: str, coefficients: list[float]) -> None:
    camera, (note,) = read(lens=lens, coefficients=coefficients)
    assert camera == Camera(640, 480, 500, 510, 320, 240, calibrated=False)
    assert f"'{lens}' with {len(coefficients)} coefficients is none of" in note
    with pytest.raises(ValueError, match=f"got '{lens}' with {len(coefficients)}"):
        camera_from_camera_info(**(INFO | {"lens": lens, "coefficients": coefficients}))
