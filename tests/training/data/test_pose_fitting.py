import pytest
import torch

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from synthetic.people.gestures import JOINT
from synthetic.people.poses import draw_poses
from synthetic.people.turns import turn
from training.data.pose_fitting import NEEDED, FittedPoses, fit_poses

NAMES = tuple(name for name in SMPL_JOINTS if not name.startswith(("spine", "pelvis")))


@pytest.fixture(scope="module")
def poses() -> torch.Tensor:
    """People who face in any direction."""
    generator = torch.Generator().manual_seed(0)
    poses = draw_poses(24, generator)
    heading = turn("y", 6.28 * torch.rand(24, generator=generator))
    poses[:, 0] = heading @ poses[:, 0]
    return poses


@pytest.fixture(scope="module")
def points(body: Body, poses: torch.Tensor) -> torch.Tensor:
    joints = body.joints(poses, torch.zeros(len(poses), 10)) + torch.tensor([0.3, -2.0, 5.0])
    return joints[:, [JOINT[name] for name in NAMES]]


@pytest.fixture(scope="module")
def fitted(body: Body, points: torch.Tensor) -> FittedPoses:
    return fit_poses(body, NAMES, points, torch.ones(points.shape[:2]))


def angles(rotations: torch.Tensor) -> torch.Tensor:
    trace = rotations.diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((trace - 1) / 2).clamp(-1, 1).acos()


def test_bodies_reach_the_points(fitted: FittedPoses) -> None:
    assert fitted.errors_m.mean() < 0.012
    assert fitted.errors_m.mean(1).max() < 0.04


def test_errors_are_those_of_the_body_in_that_pose(
    body: Body, fitted: FittedPoses, points: torch.Tensor
) -> None:
    """Up to the shape, which is not returned: the mean body's limbs have the same directions."""
    joints = body.joints(fitted.rotations, torch.zeros(len(points), 10))
    for end, start in (("left_knee", "left_hip"), ("right_wrist", "right_elbow")):
        there = joints[:, JOINT[end]] - joints[:, JOINT[start]]
        given = points[:, NAMES.index(end)] - points[:, NAMES.index(start)]
        cosine = torch.nn.functional.cosine_similarity(there, given, dim=1)
        assert cosine.median() > 0.995
        assert (cosine > 0.95).float().mean() > 0.9


def test_trunks_keep_their_heading(fitted: FittedPoses, poses: torch.Tensor) -> None:
    off = angles(fitted.rotations[:, 0].transpose(1, 2) @ poses[:, 0])
    assert off.median() < 0.2


def test_rotations_are_within_human_limits(fitted: FittedPoses) -> None:
    rotations = fitted.rotations
    identity = torch.eye(3).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.transpose(2, 3), identity, atol=1e-5, rtol=0)
    knees = rotations[:, [JOINT["left_knee"], JOINT["right_knee"]]]
    assert knees[..., 2, 1].min() > -0.15  # no shank turns forwards
    assert angles(rotations)[:, JOINT["head"]].max() < 1.2


def test_unknown_joints_do_not_matter(body: Body, points: torch.Tensor) -> None:
    confidence = torch.ones(points.shape[:2])
    hidden = NAMES.index("left_wrist")
    confidence[:, hidden] = 0
    moved = points.clone()
    moved[:, hidden] = 100.0
    fits = [fit_poses(body, NAMES, each, confidence, steps=20) for each in (points, moved)]
    torch.testing.assert_close(fits[0].rotations, fits[1].rotations)
    assert fits[0].errors_m[:, hidden].isnan().all()
    assert not fits[0].errors_m[:, :hidden].isnan().any()


def test_points_without_a_trunk_or_with_other_names_are_refused(
    body: Body, points: torch.Tensor
) -> None:
    confidence = torch.ones(points.shape[:2])
    confidence[3, NAMES.index(NEEDED[0])] = 0
    with pytest.raises(ValueError, match="got no left_hip"):
        fit_poses(body, NAMES, points, confidence)
    with pytest.raises(ValueError, match="got tail"):
        fit_poses(body, ("tail",), points[:, :1], confidence[:, :1])
