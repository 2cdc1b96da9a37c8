"""A rotated image and its camera show the same world, rotated."""

import cv2
import numpy as np
import pytest

from smpler_model.cameras.camera import Camera
from smpler_model.cameras.turning import turn_camera, turn_image
from tests.smpler_model.cameras.test_picture_header import turned_jpeg

LENSES = {
    "none": (),
    "plumb_bob": (-0.28, 0.09, 0.004, -0.003, -0.01),
    "rational_polynomial": (
        *(0.4, -0.02, 0.005, -0.003, 0.001, 0.7, 0.02, 0.003),
        *(0.01, -0.02, 0.03, 0.04),
    ),
    "equidistant": (-0.02, 0.006, -0.003, 0.0004),
}
# The point (w - 1, h - 1) = (71, 39) of the stored image in the rotated one, by orientation.
TURNS = {
    1: lambda x, y: (x, y),
    2: lambda x, y: (71 - x, y),
    3: lambda x, y: (71 - x, 39 - y),
    4: lambda x, y: (x, 39 - y),
    5: lambda x, y: (y, x),
    6: lambda x, y: (39 - y, x),
    7: lambda x, y: (39 - y, 71 - x),
    8: lambda x, y: (y, 71 - x),
}


@pytest.mark.parametrize("orientation", TURNS)
def test_images_are_rotated_as_in_opencv(orientation: int) -> None:
    rgb = np.zeros((40, 72, 3), np.uint8)
    rgb[:20, :36], rgb[20:, :36], rgb[:20, 36:] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    content = np.frombuffer(turned_jpeg(rgb, orientation), np.uint8)
    expected = cv2.imdecode(content, cv2.IMREAD_COLOR)
    stored = cv2.imdecode(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    np.testing.assert_array_equal(turn_image(stored, orientation), expected)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("lens", LENSES)
def test_points_are_rotated_with_the_image(orientation: int, lens: str) -> None:
    camera = Camera(72, 40, 61, 58, 33.5, 21.25, lens, LENSES[lens])
    turned = turn_camera(camera, orientation)
    points = np.random.default_rng(0).uniform((-0.5, -0.3, 0.9), (0.5, 0.3, 2), (50, 3))
    x_axis = np.subtract(TURNS[orientation](1, 0), TURNS[orientation](0, 0))
    y_axis = np.subtract(TURNS[orientation](0, 1), TURNS[orientation](0, 0))
    seen = points.copy()
    seen[:, :2] = points[:, :1] * x_axis + points[:, 1:2] * y_axis
    expected = np.stack(TURNS[orientation](*camera.project(points).T), 1)
    np.testing.assert_allclose(turned.project(seen), expected, atol=1e-9)
    assert (turned.width, turned.height) == ((72, 40) if orientation < 5 else (40, 72))


def test_a_tilted_sensor_is_refused() -> None:
    coefficients = (*(0.1,) * 12, 0.02, 0.0)
    camera = Camera(72, 40, 61, 58, 33.5, 21.25, "rational_polynomial", coefficients)
    with pytest.raises(ValueError, match="with a tilted sensor cannot be rotated"):
        turn_camera(camera, 6)
