"""The floor: feet that touch it, and distances from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.people.floor import (
    find_soles,
    floor_from_pose,
    foot_contacts,
    footprints,
    heights_above,
    mean_plane,
    move_plane,
    place_by_floor,
)
from smpler_model.people.placement import HEIGHT_SPREAD, place
from tests.posed import pose_joints

CAMERA = Camera(640, 480, 400.0, 400.0, 319.5, 239.5)
UPRIGHT = np.diag([1.0, -1, -1])  # SMPL's axes in a level camera's optical frame: facing it


def stand(
    height_m: float, pitch_deg: float, ahead_m: float, size: float = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return plane, rotations and true joints (1, 24, 3) of one who stands ahead of a camera.

    Args:
        height_m: of the camera.
        pitch_deg: by which it looks down.
        ahead_m: distance over the floor.
        size: of the person, 1 for the average.
    """
    fixed_from_camera = level_camera(height_m, pitch_deg)
    level = level_camera(height_m, 0.0)
    camera_from_level = fixed_from_camera[:3, :3].T @ level[:3, :3]
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    rotations[0, 0] = camera_from_level @ UPRIGHT
    joints = pose_joints(rotations, np.zeros((1, 10)))
    floor = floor_from_pose(fixed_from_camera)
    forward = camera_from_level @ (0, 0, 1)
    joints = size * (joints - joints[:, :1]) + ahead_m * forward
    soles = find_soles(rotations, joints)
    lowest = heights_above(floor, soles).min() - 0.022 * (size - 1)
    return floor, rotations, joints - lowest * floor[:3]


def estimate(rotations: np.ndarray, joints_m: np.ndarray) -> tuple:
    """Return local joints of average size, keypoints, and the placement by size."""
    local = pose_joints(rotations, np.zeros((1, 10)))
    keypoints = CAMERA.project(joints_m)
    return local, keypoints, place(local, keypoints, CAMERA)


def test_the_plane_of_a_camera_above_the_floor() -> None:
    floor = floor_from_pose(level_camera(1.4, 20.0))
    assert floor[3] == pytest.approx(1.4)
    assert np.linalg.norm(floor[:3]) == pytest.approx(1)
    assert floor[1] < 0  # up is against y


@given(height=st.floats(0.5, 2.5), pitch=st.floats(-10, 40), ahead=st.floats(2, 8))
def test_one_of_average_size_stays(height: float, pitch: float, ahead: float) -> None:
    floor, rotations, joints_m = stand(height, pitch, ahead)
    local, keypoints, before = estimate(rotations, joints_m)
    after = place_by_floor(before, rotations, local, keypoints, floor, CAMERA)
    np.testing.assert_allclose(after.translations_m, before.translations_m, atol=1e-6)


@pytest.mark.parametrize("size", [0.9, 0.95, 1.06, 1.1])
@pytest.mark.parametrize("ahead_m", [3.0, 5.0])
def test_the_size_of_a_person_matters_less(size: float, ahead_m: float) -> None:
    floor, rotations, joints_m = stand(1.6, 12.0, ahead_m, size)
    local, keypoints, before = estimate(rotations, joints_m)
    after = place_by_floor(before, rotations, local, keypoints, floor, CAMERA)
    assert after.from_floor.all()
    errors = [
        np.linalg.norm((local + each.translations_m[:, None])[0, 0] - joints_m[0, 0])
        for each in (before, after)
    ]
    assert errors[1] < 0.5 * errors[0]
    along = joints_m[0, 0] / np.linalg.norm(joints_m[0, 0])
    spreads = [along @ each.covariances_m2[0] @ along for each in (before, after)]
    assert spreads[1] < 0.5 * spreads[0]
    assert (np.linalg.eigvalsh(after.covariances_m2[0]) > 0).all()


def test_who_does_not_stand_there_stays() -> None:
    """On a stage of half a metre, feet outside the image, and a floor above the camera."""
    floor, rotations, joints_m = stand(1.6, 12.0, 3.0)
    local, keypoints, before = estimate(rotations, joints_m)
    stage = floor + np.array([0, 0, 0, 0.8])
    away = np.where(np.isin(np.arange(24), [7, 8, 10, 11])[:, None], [320.0, 600.0], keypoints)
    ceiling = np.array([*floor[:3], -0.5])
    for plane, pixels in ((stage, keypoints), (floor, away), (ceiling, keypoints)):
        after = place_by_floor(before, rotations, local, pixels, plane, CAMERA)
        assert not after.from_floor.any()
        np.testing.assert_array_equal(after.translations_m, before.translations_m)
        np.testing.assert_array_equal(after.covariances_m2, before.covariances_m2)


def test_a_lifted_or_moving_foot_does_not_touch() -> None:
    floor, rotations, joints_m = stand(1.6, 12.0, 3.0)
    bent = rotations.copy()
    for name, angle in (("hip", -1.2), ("knee", 1.6)):
        bent[0, SMPL_JOINTS.index(f"left_{name}")] = Rotation.from_rotvec(
            [angle, 0, 0]
        ).as_matrix()
    local = pose_joints(bent, np.zeros((1, 10)))
    posed = local - local[:, :1] + joints_m[:, :1]
    soles = find_soles(bent, posed)
    np.testing.assert_array_equal(foot_contacts(floor, soles), [[0, 1]])
    both = find_soles(rotations, joints_m)
    np.testing.assert_array_equal(foot_contacts(floor, both), [[1, 1]])
    speeds = np.array([[1.5, np.nan]])
    np.testing.assert_array_equal(foot_contacts(floor, both, speeds), [[0, 1]])


@given(seed=st.integers(0, 2**31), pitch=st.floats(-80, 80))
def test_footprints_lie_on_the_floor_below(seed: int, pitch: float) -> None:
    rng = np.random.default_rng(seed)
    pose = level_camera(rng.uniform(0.2, 3), pitch)
    floor, pelvises = floor_from_pose(pose), rng.normal(0, 3, (5, 3))
    below = footprints(floor, pelvises)
    world, print_ = ((points @ pose[:3, :3].T + pose[:3, 3]) for points in (pelvises, below))
    np.testing.assert_allclose(print_[:, :2], world[:, :2], atol=1e-9)
    np.testing.assert_allclose(print_[:, 2], 0, atol=1e-9)


@given(seed=st.integers(0, 2**31))
def test_heights_above_a_plane_are_the_same_in_every_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = Rotation.random(rng=rng).as_matrix(), rng.normal(0, 9, 3)
    plane, points = floor_from_pose(level_camera(1.3, 25.0)), rng.normal(0, 3, (5, 3))
    found = heights_above(move_plane(plane, moved), points @ moved[:3, :3].T + moved[:3, 3])
    np.testing.assert_allclose(found, heights_above(plane, points), atol=1e-9)


def test_a_plane_moved_by_the_pose_is_that_of_the_fixed_frame() -> None:
    pose = level_camera(1.4, 20.0)
    np.testing.assert_allclose(move_plane(floor_from_pose(pose), pose), [0, 0, 1, 0], atol=1e-12)


def test_the_mean_of_planes_is_a_plane_between_them() -> None:
    slopes = [np.array([sign * np.sin(0.1), 0, np.cos(0.1), 0.0]) for sign in (1, -1)]
    np.testing.assert_allclose(mean_plane(slopes), [0, 0, 1, 0], atol=1e-12)
    levels = [np.array([0.0, 0, 1, height_m]) for height_m in (0.1, 0.2, 0.6)]
    np.testing.assert_allclose(mean_plane(levels), [0, 0, 1, 0.3], atol=1e-12)


def test_nobody() -> None:
    nobody = np.empty((0, 24, 3))
    before = place(nobody, np.empty((0, 24, 2)), CAMERA)
    rotations = np.empty((0, 24, 3, 3))
    floor = floor_from_pose(level_camera(1.0, 0.0))
    after = place_by_floor(before, rotations, nobody, np.empty((0, 24, 2)), floor, CAMERA)
    assert (len(after.translations_m), len(after.from_floor)) == (0, 0)


def test_the_prior_is_the_spread_of_sizes() -> None:
    """At twice the height of the camera, the floor says twice as much."""
    spreads = []
    for height in (0.8, 1.6):
        floor, rotations, joints_m = stand(height, 12.0, 4.0)
        local, keypoints, before = estimate(rotations, joints_m)
        after = place_by_floor(before, rotations, local, keypoints, floor, CAMERA)
        along = before.translations_m[0] / np.linalg.norm(before.translations_m[0])
        spreads.append(np.sqrt(along @ after.covariances_m2[0] @ along) / 4)
    assert spreads[1] < spreads[0] < HEIGHT_SPREAD * 1.05
