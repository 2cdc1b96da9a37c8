"""Regions are upright, follow the labels, and map back to the image."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.labelling.landmarks import JOINTS
from training.data.labelling.regions import SIDE_PX, Region, cut_region, regions_around

ANGLES = st.floats(0, 2 * np.pi)


def region(angle: float, radius: float = 50, x: float = 150, y: float = 120) -> Region:
    return Region(np.array([x, y]), 7 * np.array([np.sin(angle), -np.cos(angle)]), radius)


@given(ANGLES, st.floats(1, 1000), st.floats(-500, 500), st.floats(-500, 500))
def test_the_crop_is_the_region_turned_upright(
    angle: float, radius: float, x: float, y: float
) -> None:
    turned = region(angle, radius, x, y)
    matrix = turned.image_from_crop
    middle, top = np.array([127.5, 127.5, 1]), np.array([127.5, -0.5, 1])
    np.testing.assert_allclose(matrix @ middle, [x, y], atol=1e-6)
    up = np.array([np.sin(angle), -np.cos(angle)])
    np.testing.assert_allclose(matrix @ top, [x, y] + 1.25 * radius * up, atol=1e-6)
    rotation = turned.image_from_upright
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(2), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ [0, -1], up, atol=1e-6)


@pytest.mark.parametrize("enlarged", [1, 8], ids=["small", "larger than the crop"])
def test_crop_pixels_map_to_the_image(enlarged: int) -> None:
    image = np.zeros((240 * enlarged, 300 * enlarged, 3), np.uint8)
    spot = (170 * enlarged, 100 * enlarged)
    cv2.circle(image, spot, 5 * enlarged, (255, 255, 255), -1)
    turned = region(1.1, 50 * enlarged, 150 * enlarged, 120 * enlarged)
    crop = cut_region(image, turned)
    assert crop.shape == (SIDE_PX, SIDE_PX, 3)
    rows, columns = np.nonzero(crop[..., 0] > 127)
    found = turned.image_from_crop @ [columns.mean(), rows.mean(), 1]
    np.testing.assert_allclose(found, spot, atol=0.2 * enlarged)


def labels_of(**places: tuple[float, float]) -> np.ndarray:
    """Return (1, 14, 3) labels of some joints."""
    labels = np.zeros((1, 14, 3))
    labels[..., :2] = -1000  # as in the files, for joints that are not labelled
    for name, place in places.items():
        labels[0, JOINTS.index(name)] = (*place, 1)
    return labels


HIPS = {"left_hip": (10.0, 0.0), "right_hip": (-10.0, 0.0)}
KNEES = {"left_knee": (10.0, 50.0), "right_knee": (-10.0, 50.0)}
SHOULDERS = {"left_shoulder": (40.0, -50.0), "right_shoulder": (20.0, -50.0)}
HEAD = {"neck": (0.0, -60.0), "top_of_head": (0.0, -100.0)}


@pytest.mark.parametrize(
    ("places", "centre", "up", "radius"),
    [
        ({**HIPS, **SHOULDERS}, (0, 0), (30, -50), np.hypot(40, 50)),
        ({**HIPS, **HEAD}, (0, 0), (0, -80), 100),
        ({**KNEES, **HEAD}, (0, -8.5), (0, -130), 91.5),
        ({**HIPS, **KNEES}, (0, 0), (0, -1), np.hypot(10, 50)),
        ({"left_wrist": (0.0, 0.0), "neck": (20.0, 10.0)}, (10, 5), (0, -1), np.hypot(10, 5)),
        ({"neck": (3.0, 4.0)}, (3, 4), (0, -1), 10 / 1.08),
    ],
    ids=["trunk", "head", "no hips", "no head", "neither", "one joint"],
)
def test_regions_follow_the_labelled_joints(
    places: dict[str, tuple[float, float]],
    centre: tuple[float, float],
    up: tuple[float, float],
    radius: float,
) -> None:
    (found,) = regions_around(labels_of(**places))
    np.testing.assert_allclose(found.centre, centre, atol=1e-9)
    np.testing.assert_allclose(found.up, up, atol=1e-9)
    assert found.radius == pytest.approx(1.08 * radius)


@given(ANGLES)
def test_a_turned_person_has_a_turned_region(angle: float) -> None:
    labels = labels_of(**HIPS, **SHOULDERS, **KNEES)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    turned = labels.copy()
    turned[..., :2] = labels[..., :2] @ rotation.T
    (before,), (after,) = regions_around(labels), regions_around(turned)
    np.testing.assert_allclose(after.up, rotation @ before.up, atol=1e-9)
    assert after.radius == pytest.approx(before.radius)
