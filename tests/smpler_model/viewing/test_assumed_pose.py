"""Poses of cameras from people who stand, walk, sit and jump before them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from smpler_model.array_types import Floats
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import People
from smpler_model.people.floor import find_soles, floor_from_pose
from smpler_model.viewing.assumed_pose import USUAL_HEIGHT_M, assume_pose, pose_above
from tests.smpler_model.viewing.conftest import CAMERA, posed_people

HEIGHT_M, PITCH_DEG = 2.1, 28.0
POSE = level_camera(HEIGHT_M, PITCH_DEG)
AHEAD_M = np.linspace(2.5, 6.0, 20)
Images = list[tuple[Camera, People]]


@pytest.fixture(scope="module")
def body(builtin: BodyArrays) -> Body:
    return Body(builtin).eval()


def stand_at(
    body: Body, places_m: Floats, id_: int, scale: float = 1.0, lift_m: float = 0.0
) -> Images:
    """Return images of somebody who stands at places (k, 2) of the floor, facing the camera.

    Args:
        body: the body.
        places_m: ahead of the camera, and to its left.
        id_: track id.
        scale: of the distance, as it is estimated.
        lift_m: height above the floor.
    """
    facing = np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])  # y to z, z against x
    rotations = np.tile(np.eye(3), (len(places_m), 24, 1, 1))
    rotations[:, 0] = POSE[:3, :3].T @ facing
    joints = body.joints(
        torch.from_numpy(rotations).float(), torch.zeros(len(places_m), 10)
    ).double()
    local = joints.numpy() @ POSE[:3, :3].T  # along the axes of the world
    soles = find_soles(rotations, joints.numpy())
    low = (soles @ POSE[2, :3]).min((1, 2))
    world = local + np.column_stack([places_m, lift_m - low])[:, None]
    in_camera = scale * (world - POSE[:3, 3]) @ POSE[:3, :3]
    shape = posed_people(body, 1)
    return [
        (
            CAMERA,
            replace(
                shape,
                ids=np.array([id_]),
                rotations=rotations[row : row + 1],
                joints_m=in_camera[row : row + 1],
                keypoints_px=CAMERA.project(in_camera[row : row + 1]),
            ),
        )
        for row in range(len(places_m))
    ]


def walk(body: Body, id_: int, scale: float = 1.0) -> Images:
    """Return images of somebody who walks away from the camera."""
    return stand_at(body, np.column_stack([AHEAD_M, 0.1 * AHEAD_M]), id_, scale)


def angle_deg(pose: Floats) -> float:
    """Return the angle between a pose's vertical and the true one."""
    return float(np.degrees(np.arccos(np.clip(pose[2, :3] @ POSE[2, :3], -1, 1))))


@pytest.mark.parametrize("pitch_deg", [-60.0, 0.0, 28.0, 89.9, 90.0])
def test_a_known_floor_gives_the_pose_of_a_level_camera(pitch_deg: float) -> None:
    expected = level_camera(HEIGHT_M, pitch_deg)
    found = pose_above(floor_from_pose(expected))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_pose_of_a_camera_that_looks_down(body: Body) -> None:
    pose = assume_pose(walk(body, 0))
    # From ankles to neck, the body leans by 0.4 degrees.
    assert pose[2, 3] == pytest.approx(HEIGHT_M, abs=0.03)
    assert angle_deg(pose) < 0.5
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


def test_people_of_unknown_size_who_stand_at_one_place(body: Body) -> None:
    """Errors of their distances move their feet along one ray, which says nothing about slopes."""
    rng = np.random.default_rng(0)
    images: Images = []
    for id_, scale in enumerate(np.exp(rng.normal(0, 0.07, 9))):
        images += stand_at(body, np.tile([3.5, 0.0], (10, 1)), id_, scale)
    pose = assume_pose(images)
    assert angle_deg(pose) < 1.5
    assert pose[2, 3] == pytest.approx(HEIGHT_M, rel=0.05)


def test_one_who_jumps_does_not_raise_the_floor(body: Body) -> None:
    images = [*walk(body, 0), *walk(body, 1), *walk(body, 2)]
    images += stand_at(body, np.tile([4.0, 1.0], (20, 1)), 3, lift_m=0.5)
    pose = assume_pose(images)
    assert pose[2, 3] == pytest.approx(HEIGHT_M, abs=0.06)
    assert angle_deg(pose) < 1.0


def test_the_camera_is_level_if_nobody_stands(body: Body) -> None:
    camera, people = walk(body, 0)[-1]
    joints = people.joints_m.copy()
    joints[:, [SMPL_JOINTS.index(f"{side}_knee") for side in ("left", "right")], 2] -= 0.4
    pose = assume_pose([(camera, replace(people, joints_m=joints))])
    np.testing.assert_allclose(pose[2, :3], [0, -1, 0], atol=1e-3)  # the optical y is down


def test_feet_outside_the_image_say_nothing(body: Body) -> None:
    near = [
        (camera, replace(people, keypoints_px=people.keypoints_px + 1000.0))
        for camera, people in walk(body, 0)
    ]
    np.testing.assert_array_equal(assume_pose(near), level_camera(USUAL_HEIGHT_M, 0.0))
    np.testing.assert_array_equal(assume_pose([]), level_camera(USUAL_HEIGHT_M, 0.0))
