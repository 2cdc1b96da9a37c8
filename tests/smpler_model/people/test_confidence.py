"""The confidence of joints: what holds for all people, and who hides whom."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.people.confidence import (
    HALF_SURE,
    HIDDEN_BY_OTHERS,
    UNSEEN_BODY,
    are_inside,
    find_hidden,
    joint_confidences,
)
from tests.posed import pose_joints

CAMERA = Camera(640, 480, 500.0, 500.0, 319.5, 239.5)
DISTORTED = Camera(640, 480, 320, 320, 320, 240, "plumb_bob", (-0.3, 0, 0, 0))


def standing(yaw_deg: float, *places_m: tuple[float, float, float]) -> np.ndarray:
    """Return the joints (n, 24, 3) of people with hanging arms, pelvises at places.

    They face the camera at 0 degrees.
    """
    rotations = np.tile(np.eye(3), (1, 24, 1, 1))
    for side, sign in (("left", -1), ("right", 1)):
        down = Rotation.from_rotvec([0, 0, sign * 1.3]).as_matrix()
        rotations[0, SMPL_JOINTS.index(f"{side}_shoulder")] = down
    joints = pose_joints(rotations, np.zeros((1, 10)))[0]
    turned = (joints - joints[0]) @ (np.diag([1.0, -1, -1]) @ turn_y(yaw_deg)).T
    return np.array([turned + place for place in places_m])


def turn_y(angle_deg: float) -> np.ndarray:
    return Rotation.from_rotvec([0, np.radians(angle_deg), 0]).as_matrix()


def rows(*names: str) -> list[int]:
    return [SMPL_JOINTS.index(name) for name in names]


def confidences(joints_m: np.ndarray, camera: Camera = CAMERA, change: float = 0) -> np.ndarray:
    changes = np.full(joints_m.shape[:2], change)
    return joint_confidences(joints_m, camera.project(joints_m), changes, camera)


def test_one_who_faces_the_camera_is_seen_whole() -> None:
    np.testing.assert_array_equal(confidences(standing(0, (0, 0, 4))), 1)


def test_the_torso_hides_the_arm_on_its_other_side() -> None:
    shares = find_hidden(standing(90, (0, 0, 4))).by_body[0]
    far, near = ("left", "right") if shares[SMPL_JOINTS.index("left_elbow")] else ("right", "left")
    assert shares[rows(f"{far}_elbow")] == 1
    np.testing.assert_array_equal(shares[rows(*(f"{near}_{n}" for n in ("elbow", "wrist")))], 0)
    mirrored = find_hidden(standing(-90, (0, 0, 4))).by_body[0]
    assert mirrored[rows(f"{near}_elbow")] == 1
    assert mirrored[rows(f"{far}_elbow")] == 0


def test_one_who_stands_before_another_hides_them() -> None:
    joints_m = standing(0, (0, 0, 5), (0, 0, 2.5))
    behind, before = confidences(joints_m)
    np.testing.assert_array_equal(before, 1)
    torso = behind[rows("pelvis", "spine1", "spine2")]
    assert (torso <= HIDDEN_BY_OTHERS).all()
    assert (torso >= HIDDEN_BY_OTHERS * UNSEEN_BODY).all()
    np.testing.assert_allclose(confidences(joints_m[::-1]), [before, behind])


def test_one_beside_another_hides_nobody() -> None:
    np.testing.assert_array_equal(confidences(standing(0, (-0.6, 0, 4), (0.6, 0, 3))), 1)


def test_what_the_last_refinement_moved_is_unsure() -> None:
    joints_m = standing(0, (0, 0, 4))
    np.testing.assert_allclose(confidences(joints_m, change=HALF_SURE), 0.5)
    assert (confidences(joints_m, change=2 * HALF_SURE) < 0.25).all()


def test_much_of_the_body_outside_makes_the_rest_less_sure() -> None:
    whole, cut_off = (confidences(standing(0, (0, y, 2.5)))[0] for y in (0, 1.2))
    head = SMPL_JOINTS.index("head")
    assert (whole[head], cut_off[SMPL_JOINTS.index("left_ankle")]) == (1, 0)
    assert UNSEEN_BODY < cut_off[head] < 1


def test_a_joint_that_moved_is_less_sure_than_the_rest_of_its_body() -> None:
    joints_m = standing(0, (0, 0, 4))
    changes = np.where(np.arange(24) == SMPL_JOINTS.index("left_hand"), 2 * HALF_SURE, 0.0)[None]
    found = joint_confidences(joints_m, CAMERA.project(joints_m), changes, CAMERA)[0]
    assert found.argmin() == SMPL_JOINTS.index("left_hand")
    assert found.min() < 0.5 < np.median(found) < 1


def test_nobody() -> None:
    assert confidences(np.empty((0, 24, 3))).shape == (0, 24)


@pytest.mark.parametrize("camera", [CAMERA, DISTORTED], ids=["pinhole", "distorted"])
@given(
    x=st.floats(-6, 6), y=st.floats(-6, 6), z=st.floats(-2, 8), yaw=st.floats(-180, 180),
    change=st.floats(0, 100),
)  # fmt: skip
def test_confidence_is_a_share_and_zero_outside(
    camera: Camera, x: float, y: float, z: float, yaw: float, change: float
) -> None:
    joints_m = standing(yaw, (x, y, z), (0.2, 0, 3))
    found = confidences(joints_m, camera, change)
    assert ((found >= 0) & (found <= 1)).all()
    pixels = camera.project(joints_m)
    inside = (pixels > -0.5).all(-1) & (pixels[..., 0] < 639.5) & (pixels[..., 1] < 479.5)
    np.testing.assert_array_equal(found[~inside], 0)
    np.testing.assert_array_equal(are_inside(pixels, camera), inside)
    assert (found[inside] > 0).all()


@given(seed=st.integers(0, 2**31), n=st.integers(1, 6))
def test_the_order_of_people_does_not_matter(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform((-1, -0.5, 1.5), (1, 0.5, 6), (n, 3))
    joints_m = np.concatenate([standing(rng.uniform(0, 360), tuple(p)) for p in places])
    order = rng.permutation(n)
    for found, expected in zip(find_hidden(joints_m[order]), find_hidden(joints_m), strict=True):
        np.testing.assert_allclose(found, expected[order], atol=1e-12)


@given(seed=st.integers(0, 2**31), angle=st.floats(-180, 180))
def test_what_is_hidden_depends_on_the_point_of_view_alone(seed: int, angle: float) -> None:
    """Not on where the camera's axis points."""
    rng = np.random.default_rng(seed)
    places = rng.uniform((-1, -0.5, 1.5), (1, 0.5, 6), (3, 3))
    joints_m = np.concatenate([standing(rng.uniform(0, 360), tuple(p)) for p in places])
    turned = joints_m @ turn_y(angle).T
    for found, expected in zip(find_hidden(turned), find_hidden(joints_m), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)


@given(seed=st.integers(0, 2**31))
def test_another_person_only_ever_hides_more(seed: int) -> None:
    rng = np.random.default_rng(seed)
    places = rng.uniform((-1, -0.5, 1.5), (1, 0.5, 6), (3, 3))
    joints_m = np.concatenate([standing(rng.uniform(0, 360), tuple(p)) for p in places])
    fewer, more = find_hidden(joints_m[:2]), find_hidden(joints_m)
    np.testing.assert_array_equal(more.by_body[:2], fewer.by_body)
    assert (more.by_others[:2] >= fewer.by_others).all()
