"""Lens models: as OpenCV's, inverted over the whole field of view, and nothing beyond it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpler_model.array_types import Floats
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.distortion import Distortion, distortion_of
from smpler_model.cameras.lenses import COEFFICIENT_COUNTS

LARGEST = {
    "none": (),
    "plumb_bob": (0.5, 0.2, 0.003, 0.003, 0.1),
    "rational_polynomial": (
        *(2.0, 0.5, 0.003, 0.003, 0.1, 2.0, 0.8, 0.1),
        *(0.002, 0.001, 0.002, 0.001, 0.02, 0.02),
    ),
    "equidistant": (0.08, 0.04, 0.02, 0.01),
}
"""Coefficients of typical sizes in calibrations, and larger ones."""

every_kind = pytest.mark.parametrize(
    ("model", "count"),
    [(m, count) for m, counts in COEFFICIENT_COUNTS.items() for count in counts],
)


def draw_lens(model: str, count: int, seed: int) -> Distortion:
    """Return a lens with random coefficients."""
    return distortion_of(model, draw_coefficients(model, count, seed))


def draw_coefficients(model: str, count: int, seed: int) -> tuple[float, ...]:
    drawn = np.random.default_rng(seed).uniform(-1, 1, count)
    return tuple((drawn * LARGEST[model][:count]).tolist())


def in_directions(angles_rad: Floats, seed: int) -> Floats:
    """Return points (n, 2) of the plane z = 1 at angles off the axis, all around it."""
    around = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(angles_rad))
    return np.tan(angles_rad)[:, None] * np.stack([np.cos(around), np.sin(around)], 1)


@every_kind
@given(seed=st.integers(0, 10**6))
def test_distortion_equals_opencv(model: str, count: int, seed: int) -> None:
    coefficients = draw_coefficients(model, count, seed)
    lens = distortion_of(model, coefficients)
    plane = in_directions(np.linspace(0, min(0.999 * lens.reach_rad, 1.5), 50), seed)
    points = np.column_stack([plane, np.ones(len(plane))])[:, None]
    project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
    still, numbers = np.zeros(3), np.array(coefficients)
    expected, _ = project(points, still, still, np.eye(3), numbers if count else None)
    bent = lens.bend(plane)
    shown = np.isfinite(bent).all(1)
    assert shown.all() or count == 14  # a tilted sensor ends at its horizon
    np.testing.assert_allclose(bent[shown], expected[shown, 0], rtol=1e-9, atol=1e-9)


@every_kind
@settings(max_examples=40)  # lenses, of 200 points each
@given(seed=st.integers(0, 10**6))
def test_undistortion_inverts_distortion_in_the_whole_field(
    model: str, count: int, seed: int
) -> None:
    lens = draw_lens(model, count, seed)
    plane = in_directions(np.linspace(0, min(0.9999 * lens.reach_rad, 1.5), 200), seed)
    bent = lens.bend(plane)
    assert np.isfinite(bent).all() or count == 14  # a tilted sensor ends at its horizon
    near = np.abs(bent).max(1) < 10  # before a pole, the field of view is unbounded
    np.testing.assert_allclose(lens.straighten(bent[near]), plane[near], rtol=1e-6, atol=1e-9)


@every_kind
@settings(max_examples=40)  # lenses, of 200 points each
@given(seed=st.integers(0, 10**6))
def test_distortion_inverts_undistortion_where_defined(model: str, count: int, seed: int) -> None:
    lens = draw_lens(model, count, seed)
    bent = np.random.default_rng(seed).normal(0, 1.5, (200, 2))
    straight = lens.straighten(bent)
    shown = np.isfinite(straight).all(1)
    assert (np.isnan(straight).any(1) == ~shown).all()
    np.testing.assert_allclose(lens.bend(straight[shown]), bent[shown], atol=1e-9)
    assert (np.arctan(np.linalg.norm(straight[shown], axis=1)) < lens.reach_rad).all()


@pytest.mark.parametrize(
    ("model", "coefficients", "radius", "shown"),
    [
        ("plumb_bob", (-0.32, 0.11, 0, 0, 0), 0.99, True),
        ("plumb_bob", (-0.32, 0.11, 0, 0, 0), 1.25, True),  # where OpenCV's iteration fails
        ("plumb_bob", (-0.32, 0, 0, 0, 0), 0.68, True),  # it turns at 2 / 3 / sqrt(0.96)
        ("plumb_bob", (-0.32, 0, 0, 0, 0), 0.69, False),
        ("equidistant", (0, 0, 0, 0), 1.57, True),
        ("equidistant", (0, 0, 0, 0), 1.58, False),
        ("equidistant", (-0.2, 0, 0, 0), 0.86, True),  # it turns at 2 / 3 / sqrt(0.6)
        ("equidistant", (-0.2, 0, 0, 0), 0.87, False),
        ("rational_polynomial", (0, 0, 0, 0, 0, -0.25, 0, 0), 50.0, True),  # a pole at 2
    ],
)
def test_the_field_ends_where_the_model_turns(
    model: str, coefficients: tuple[float, ...], radius: float, *, shown: bool
) -> None:
    camera = Camera(640, 480, 320, 320, 320, 240, model, coefficients)
    pixel = [320 + 320 * radius, 240]
    ray = camera.unproject(pixel)
    assert np.isfinite(ray).tolist() == [shown] * 3
    if shown:
        np.testing.assert_allclose(camera.project(ray), pixel, atol=1e-6)


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
def test_nothing_outside_the_field_is_projected(model: str) -> None:
    """A polynomial beyond its turning point would image them a second time."""
    coefficients = (-0.32, 0, 0, 0) if model == "plumb_bob" else (-0.2, 0, 0, 0)
    camera = Camera(640, 480, 320, 320, 320, 240, model, coefficients)
    assert 0.7 < camera.reach_rad < 1.3
    inside, outside = (np.tan(camera.reach_rad + side) for side in (-0.01, 0.01))
    assert np.isfinite(camera.project([inside, 0, 1])).all()
    assert np.isnan(camera.project([outside, 0, 1])).all()


def test_unexposed_pixels_get_the_last_ray_on_their_line() -> None:
    camera = Camera(640, 480, 200, 200, 320, 240, "equidistant", (-0.1, 0, 0, 0))
    pixels = np.array([[330, 250], [620, 240], [320, -400], [np.nan, 3]])
    assert np.isfinite(camera.unproject(pixels)).all(1).tolist() == [True, False, False, False]
    rays = camera.unproject_inwards(pixels)
    np.testing.assert_array_equal(rays[0], camera.unproject(pixels[0]))
    angles = np.arctan(np.linalg.norm(rays[1:3, :2], axis=1))
    np.testing.assert_allclose(angles, camera.reach_rad, atol=1e-3)
    np.testing.assert_allclose((rays[1, 1], rays[2, 0]), 0, atol=1e-9)
    assert rays[1, 0] > 0 > rays[2, 1]
    assert np.isnan(rays[3]).all()
