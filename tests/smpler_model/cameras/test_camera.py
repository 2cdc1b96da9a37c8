"""Laws of the camera models."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.cameras.camera import Camera, camera_from_field_of_view

LENSES = {
    "none": (),
    "plumb_bob": (-0.28, 0.09, 0.001, -0.0008, -0.01),
    "rational_polynomial": (0.4, -0.02, 0.0005, -0.0003, 0.001, 0.7, 0.02, 0.003),
    "equidistant": (-0.02, 0.006, -0.003, 0.0004),
}
CAMERAS = {
    lens: Camera(640, 480, 431.0, 428.0, 325.5, 233.25, lens, coefficients)
    for lens, coefficients in LENSES.items()
}


@pytest.mark.parametrize("lens", LENSES)
@given(u=st.floats(0, 639), v=st.floats(0, 479), depth=st.floats(0.3, 30))
def test_project_undoes_unproject(lens: str, u: float, v: float, depth: float) -> None:
    ray = CAMERAS[lens].unproject([u, v])
    assert ray[2] == 1
    np.testing.assert_allclose(CAMERAS[lens].project(ray * depth), [u, v], atol=1e-6)


@pytest.mark.parametrize("lens", LENSES)
@given(x=st.floats(-0.5, 0.5), y=st.floats(-0.4, 0.4), depth=st.floats(0.3, 30))
def test_unproject_undoes_project(lens: str, x: float, y: float, depth: float) -> None:
    point = np.array([x, y, 1.0])
    ray = CAMERAS[lens].unproject(CAMERAS[lens].project(point * depth))
    np.testing.assert_allclose(ray, point, atol=1e-8)


@pytest.mark.parametrize("lens", LENSES)
def test_shapes_are_kept_and_may_be_empty(lens: str) -> None:
    camera = CAMERAS[lens]
    points = np.random.default_rng(0).normal(0, 0.2, (2, 5, 3))
    points[..., 2] += 3
    pixels = camera.project(points)
    assert pixels.shape == (2, 5, 2)
    np.testing.assert_allclose(pixels[1, 3], camera.project(points[1, 3]))
    assert camera.unproject(pixels).shape == (2, 5, 3)
    assert camera.project(np.empty((0, 3))).shape == (0, 2)
    assert camera.unproject(np.empty((0, 2))).shape == (0, 3)


@pytest.mark.parametrize("lens", LENSES)
def test_points_behind_the_camera_have_no_pixel(lens: str) -> None:
    pixels = CAMERAS[lens].project([[0, 0, 2.0], [0.1, 0, -2.0], [0, 0, 0]])
    assert np.isfinite(pixels[0]).all()
    assert np.isnan(pixels[1:]).all()


@pytest.mark.parametrize("lens", LENSES)
def test_intrinsics_may_be_integers(lens: str) -> None:
    whole = Camera(640, 480, 431, 428, 325, 233, lens, LENSES[lens])
    np.testing.assert_allclose(whole.project(whole.unproject([100, 200])), [100, 200], atol=1e-6)


def test_field_of_view_reaches_the_edges() -> None:
    camera = camera_from_field_of_view(640, 480, 60.0)
    left, right = camera.unproject([[-0.5, 239.5], [639.5, 239.5]])
    angle = np.arctan2(right[0], 1) - np.arctan2(left[0], 1)
    assert np.degrees(angle) == pytest.approx(60)
    assert not camera.calibrated


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fx": float("nan")}, "finite numbers"),
        ({"fy": -3.0}, "positive focal lengths"),
        ({"width": 0}, "0x480"),
        ({"lens": "pinhole_cushion"}, "pinhole_cushion"),
        ({"lens": "equidistant", "coefficients": (0.1,)}, "has 4 coefficients, got 1"),
        ({"lens": "plumb_bob", "coefficients": (0.1, float("inf"), 0, 0)}, "inf"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_impossible_cameras_are_refused(change: dict[str, object], words: str) -> None:
    good = {"width": 640, "height": 480, "fx": 1.0, "fy": 1.0, "cx": 0.0, "cy": 0.0}
    with pytest.raises(ValueError, match=words):
        Camera(**(good | change))


def test_an_impossible_field_of_view_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 179 degrees, got 180"):
        camera_from_field_of_view(640, 480, 180)
