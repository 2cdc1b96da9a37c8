"""People seen by a camera that turns and drives: in the world they stand."""

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.cameras.frame_tree import LINK_FROM_OPTICAL
from smpler_model.frames import CameraPose
from smpler_model.people.smoothing import Bodies
from smpler_model.people.world_filter import (
    MeasuredPelvises,
    WorldFilter,
    facings,
    pelvises_in_camera,
)

STEP_NS = 66_666_667
STANDING_M = np.array([2.0, 1.5, 0.9])
TOWARDS_Y = np.array([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
"""A pelvis upright in a frame with z up, that faces along y."""


def camera_at(time_s: float) -> CameraPose:
    """A camera that turns by 45 degrees a second and drives at 0.5 m/s."""
    fixed_from_link = np.eye(4)
    fixed_from_link[:3, :3] = Rotation.from_euler("z", np.pi / 4 * time_s).as_matrix()
    fixed_from_link[:3, 3] = 0.5 * time_s, 0.0, 1.2
    return CameraPose("map", fixed_from_link @ LINK_FROM_OPTICAL)


def see(pose: CameraPose) -> tuple[Bodies, MeasuredPelvises]:
    """Return the standing person as the camera sees them."""
    camera_from_fixed = np.linalg.inv(pose.fixed_from_camera)
    position = camera_from_fixed[:3, :3] @ STANDING_M + camera_from_fixed[:3, 3]
    rotations = np.broadcast_to(np.eye(3), (1, 24, 3, 3)).copy()
    rotations[0, 0] = camera_from_fixed[:3, :3] @ TOWARDS_Y
    bodies = Bodies(rotations, np.zeros((1, 10)), position[None])
    noise = np.diag([0.01, 0.01, 0.05])[None] ** 2
    lasting = 0.06**2 * position[:, None] * position
    return bodies, MeasuredPelvises(position[None], noise, lasting[None], np.array([True]))


def test_a_camera_that_moves_does_not_move_people() -> None:
    world, ids = WorldFilter(), np.array([5])
    for index in range(30):
        pose = camera_at(index * STEP_NS / 1e9)
        bodies, measured = see(pose)
        smooth = world.smooth(index * STEP_NS, ids, bodies, pose)
        np.testing.assert_allclose(smooth.rotations, bodies.rotations, atol=1e-9)
        motion = world.follow(index * STEP_NS, ids, measured, smooth.rotations[:, 0], pose)
        np.testing.assert_allclose(motion.positions_m[0], STANDING_M, atol=1e-9)
        np.testing.assert_allclose(motion.velocities_m_s[0], np.zeros(3), atol=1e-9)
        np.testing.assert_allclose(motion.facings_rad, np.pi / 2, atol=1e-9)
        np.testing.assert_allclose(
            pelvises_in_camera(motion, pose), measured.positions_m, atol=1e-9
        )


def test_averaging_does_not_reduce_the_error_of_an_assumed_size() -> None:
    world, ids = WorldFilter(), np.array([5])
    pose = camera_at(0.0)
    bodies, measured = see(pose)
    for index in range(60):
        motion = world.follow(index * STEP_NS, ids, measured, bodies.rotations[:, 0], pose)
    turn = pose.fixed_from_camera[:3, :3]
    ahead = turn @ measured.positions_m[0]
    distance = np.linalg.norm(ahead)
    along = ahead / distance
    variance = along @ motion.position_covariances_m2[0] @ along
    assert 0.06 * distance < np.sqrt(variance) < 0.07 * distance


def test_a_restored_filter_continues_alike() -> None:
    first, second, ids = WorldFilter(), WorldFilter(), np.array([5])
    for index in range(6):
        if index == 3:
            second.restore(first.snapshot())
        pose = camera_at(index * STEP_NS / 1e9)
        bodies, measured = see(pose)
        measured.positions_m[:] += 0.1 * np.sin([index, 2 * index, 3 * index])
        results = []
        for world in (first, second) if index >= 3 else (first,):
            smooth = world.smooth(index * STEP_NS, ids, bodies, pose)
            results.append(
                world.follow(index * STEP_NS, ids, measured, smooth.rotations[:, 0], pose)
            )
    np.testing.assert_array_equal(results[0].velocities_m_s, results[1].velocities_m_s)


def test_facings() -> None:
    lying = Rotation.from_euler("x", 5, degrees=True).as_matrix()  # the belly upwards
    turned = Rotation.from_euler("z", 1.0).as_matrix() @ TOWARDS_Y
    found = facings(np.stack([TOWARDS_Y, turned, lying]))
    np.testing.assert_allclose(found[:2], [np.pi / 2, np.pi / 2 + 1.0])
    assert np.isnan(found[2])
