import math

import pytest
import torch

from smpler_model.body.builtin import load_builtin_body
from smpler_model.body.smpl import Body
from synthetic.people.gestures import JOINT, draw_left_arms, put_arm
from synthetic.people.poses import (
    draw_gait,
    draw_poses,
    mirror_rotations,
)
from synthetic.people.turns import turn, turn_towards
from tests.synthetic.people.joint_limits import JOINT_LIMITS


@pytest.fixture(scope="module")
def body() -> Body:
    return Body(load_builtin_body())


@pytest.fixture(scope="module")
def poses() -> torch.Tensor:
    return draw_poses(2000, torch.Generator().manual_seed(0))


def angles(rotations: torch.Tensor) -> torch.Tensor:
    trace = rotations.diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((trace - 1) / 2).clamp(-1, 1).acos()


def test_poses_are_rotations(poses: torch.Tensor) -> None:
    identity = torch.eye(3).expand(2000, 24, 3, 3)
    torch.testing.assert_close(poses @ poses.transpose(2, 3), identity, atol=1e-5, rtol=0)
    assert torch.linalg.det(poses).min() > 0.99


def test_poses_stay_within_human_limits(poses: torch.Tensor) -> None:
    most = angles(poses).amax(0)
    over = [name for name, row in JOINT.items() if most[row] > JOINT_LIMITS[row] + 1e-4]
    assert not over


def test_knees_and_elbows_bend_one_way(poses: torch.Tensor) -> None:
    for side, sign in (("left", -1), ("right", 1)):
        knee, elbow = poses[:, JOINT[f"{side}_knee"]], poses[:, JOINT[f"{side}_elbow"]]
        assert knee[:, 2, 1].min() > -1e-6  # the shank turns backwards about x, up to 150 degrees
        assert (sign * elbow[:, 0, 2]).min() > -1e-6  # the forearm turns forwards about y


def test_poses_are_seeded_and_varied(poses: torch.Tensor) -> None:
    assert torch.equal(poses, draw_poses(2000, torch.Generator().manual_seed(0)))
    wide = angles(poses)[:, JOINT["left_shoulder"]]
    assert wide.std() > 0.3


@pytest.mark.parametrize(
    ("gesture", "axis", "sign"),
    [("hang", 1, -1), ("up", 1, 1), ("reach", 2, 1), ("side", 0, 1)],
)
def test_gestures_point_where_they_say(body: Body, gesture: str, axis: int, sign: int) -> None:
    n = 50
    arms = draw_left_arms(gesture, n, torch.Generator().manual_seed(1))
    pose = torch.eye(3).repeat(n, 24, 1, 1)
    put_arm(pose, "left", arms)
    joints = body.joints(pose, torch.zeros(n, 10))
    upper = joints[:, JOINT["left_elbow"]] - joints[:, JOINT["left_shoulder"]]
    assert (sign * upper[:, axis] / upper.norm(dim=1)).median() > 0.7


def test_mirrored_pose_gives_mirrored_joints(body: Body, poses: torch.Tensor) -> None:
    betas = torch.zeros(8, 10)
    joints = body.joints(poses[:8], betas)
    mirrored = body.joints(mirror_rotations(poses[:8]), betas)
    left, right = JOINT["left_wrist"], JOINT["right_wrist"]
    flip = torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(
        mirrored[:, left] - mirrored[:, 0],
        (joints[:, right] - joints[:, 0]) * flip,
        atol=1e-4,
        rtol=0,
    )


def test_gait_is_periodic_and_opposite() -> None:
    phase, stride, lift = torch.linspace(0, 6, 20), torch.full((20,), 0.6), torch.full((20,), 0.1)
    now, later = draw_gait(phase, stride, lift), draw_gait(phase + 2 * math.pi, stride, lift)
    torch.testing.assert_close(now, later, atol=1e-5, rtol=0)
    half = draw_gait(phase + math.pi, stride, lift)
    torch.testing.assert_close(
        now[:, JOINT["left_hip"]], half[:, JOINT["right_hip"]], atol=1e-5, rtol=0
    )


def test_smallest_turn_takes_one_vector_to_the_other() -> None:
    end = torch.nn.functional.normalize(
        torch.randn(20, 3, generator=torch.Generator().manual_seed(2))
    )
    start = torch.tensor([1.0, 0.0, 0.0])
    rotation = turn_towards(start, end)
    torch.testing.assert_close(rotation @ start, end, atol=1e-5, rtol=0)
    expected = (end[:, 0]).clamp(-1, 1).acos()
    torch.testing.assert_close(angles(rotation), expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(
        turn("z", torch.tensor(math.pi / 2)) @ start, torch.eye(3)[1], atol=1e-6, rtol=0
    )
