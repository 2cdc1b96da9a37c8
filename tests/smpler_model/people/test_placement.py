"""Placing people through the real camera."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpler_model.cameras.camera import Camera
from smpler_model.people.placement import place, place_by_depth

TORSO = [0, 1, 2, 3, 6, 9, 12, 16, 17]
CAMERAS = [
    Camera(640, 480, 500.0, 505.0, 320.0, 240.0),
    Camera(640, 480, 900.0, 900.0, 200.0, 300.0),
    Camera(640, 480, 430.0, 431.0, 325.0, 233.0, "plumb_bob", (-0.2, 0.05, 0.001, -0.001)),
    Camera(640, 480, 300.0, 301.0, 318.0, 241.0, "equidistant", (-0.02, 0.005, -0.002, 0.0004)),
]


def body(seed: int) -> np.ndarray:
    """Joints of the size of a person around the origin, (1, 24, 3) metres."""
    return np.random.default_rng(seed).normal(0, (0.2, 0.4, 0.15), (1, 24, 3))


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: f"{camera.lens}-{camera.fx:g}")
@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000), x=st.floats(-0.3, 0.3), y=st.floats(-0.2, 0.2), z=st.floats(2, 9)
)
def test_exact_keypoints_give_the_exact_place(
    camera: Camera, seed: int, x: float, y: float, z: float
) -> None:
    translation = np.array([x * z, y * z, z])
    joints = body(seed)
    placement = place(joints, camera.project(joints + translation), camera)
    np.testing.assert_allclose(placement.translations_m[0], translation, atol=1e-5 * z)


def test_weak_perspective_far_away_gives_the_usual_formula() -> None:
    camera = CAMERAS[0]
    scale, tx, ty = 0.9, 0.05, -0.1
    centre, side = np.array([330.0, 250.0]), 20.0  # a person 20 pixels high is far away
    joints = body(0)
    keypoints = centre + side / 2 * scale * (joints[..., :2] + (tx, ty))
    x, y, z = place(joints, keypoints, camera).translations_m[0]
    assert z == pytest.approx(2 * camera.fx / (side * scale), rel=0.02)
    assert x == pytest.approx(tx + 2 * (centre[0] - camera.cx) / (side * scale), abs=0.05)
    expected_y = z / camera.fy * (centre[1] + side * scale * ty / 2 - camera.cy)
    assert y == pytest.approx(expected_y, abs=0.05)


def test_the_same_picture_through_a_longer_lens_is_farther_away() -> None:
    joints = body(1)
    keypoints = CAMERAS[0].project(joints + np.array([0, 0, 4.0]))
    longer = Camera(640, 480, 1000.0, 1010.0, 320.0, 240.0)
    assert place(joints, keypoints, longer).translations_m[0, 2] > 7


def test_distance_is_as_uncertain_as_the_size_and_more_without_calibration() -> None:
    joints = body(2)
    translation = np.array([0.5, 0.2, 6.0])
    ray = translation / np.linalg.norm(translation)
    keypoints = CAMERAS[0].project(joints + translation)
    assumed = Camera(640, 480, 500.0, 505.0, 320.0, 240.0, calibrated=False)
    spreads = []
    for camera in (CAMERAS[0], assumed):
        covariance = place(joints, keypoints, camera).covariances_m2[0]
        assert np.linalg.eigvalsh(covariance).min() > 0
        spreads.append(np.sqrt(ray @ covariance @ ray))
    assert 0.2 < spreads[0] < 0.6 < spreads[1]


def test_a_wrong_size_is_put_right_by_depth() -> None:
    camera = CAMERAS[0]
    truth = np.array([0.4, 0.1, 5.0])
    joints = body(3) * 0.3
    too_small = joints * 0.9  # the estimated body is 10 % too small, so it seems 10 % too near
    placement = place(too_small, camera.project(joints + truth), camera)
    assert placement.translations_m[0, 2] == pytest.approx(4.5, abs=0.05)
    depth = np.full((480, 640), 4.9, np.float32)
    depth[::7] = np.nan
    depth[:, ::11] = 0
    placed = place_by_depth(placement, too_small, depth, camera)
    assert placed.from_depth.tolist() == [True]
    np.testing.assert_allclose(placed.translations_m[0], truth, atol=0.12)
    spread = np.sqrt(placed.covariances_m2[0, 2, 2])
    assert spread < np.sqrt(placement.covariances_m2[0, 2, 2]) / 3


def test_depth_moves_the_torso_along_its_ray_wherever_the_origin_is() -> None:
    camera = CAMERAS[0]
    truth = np.array([0.4, 0.1, 5.0])
    beside = np.array([0.0, -0.22, 0.03])  # of SMPL's origin, where its pelvis is
    joints = body(3) * 0.2
    joints = joints - joints[:, :1] + beside
    placement = place(joints, camera.project(joints + truth), camera)
    depth = np.full((480, 640), 7.5, np.float32)
    placed = place_by_depth(placement, joints, depth, camera)
    before, after = (
        (joints[0, TORSO] + found.translations_m[0]).mean(0) for found in (placement, placed)
    )
    assert after[2] > before[2] + 2
    np.testing.assert_allclose(after / after[2], before / before[2], atol=1e-9)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_depth_that_knows_nothing_changes_nothing(value: float) -> None:
    joints = body(4)
    placement = place(joints, CAMERAS[0].project(joints + np.array([0, 0, 3.0])), CAMERAS[0])
    depth = np.full((480, 640), value, np.float32)
    placed = place_by_depth(placement, joints, depth, CAMERAS[0])
    assert placed.from_depth.tolist() == [False]
    np.testing.assert_array_equal(placed.translations_m, placement.translations_m)


def test_nobody_and_together_as_alone() -> None:
    camera = CAMERAS[2]
    assert len(place(np.empty((0, 24, 3)), np.empty((0, 24, 2)), camera).translations_m) == 0
    joints = np.concatenate([body(5), body(6)])
    keypoints = camera.project(joints + np.array([[[0, 0, 3.0]], [[1, 0, 7.0]]]))
    both = place(joints, keypoints, camera)
    for index in range(2):
        alone = place(joints[index : index + 1], keypoints[index : index + 1], camera)
        np.testing.assert_allclose(both.translations_m[index], alone.translations_m[0])
