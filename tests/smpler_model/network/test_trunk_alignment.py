"""Pelvis and chest turn towards the keypoints of hips and shoulders."""

import pytest
import torch
from torch import Tensor

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import rotation_from_axis_angle
from smpler_model.network.limbs import Limb, take_limbs
from smpler_model.network.trunk_alignment import TrunkAlignment
from tests.smpler_model.network.aligned_stages import WIDTH, look, observe, random_stage

TURNED = ("pelvis", "spine3", "left_collar", "right_collar")


def align(body: Body, stage: Stage, observed: Tensor) -> Estimate:
    """Align with keypoints that are at the joints, unlike those of people who label photos."""
    alignment = TrunkAlignment(WIDTH)
    with torch.no_grad():
        alignment.shares.fill_(1.0)
    found: Estimate = alignment(stage, torch.zeros(len(observed), 26, WIDTH), observed, body)
    return found


def line(stage: Stage, limb: Limb) -> Tensor:
    left, right = take_limbs(stage.joints, [limb]).unbind(1)
    return left - right


@pytest.fixture
def body(body_arrays: BodyArrays) -> Body:
    return Body(body_arrays)


def test_an_estimate_that_agrees_with_its_keypoints_stays(body: Body) -> None:
    stage = random_stage(body, 0)
    found = align(body, stage, observe(stage, 1.0))
    torch.testing.assert_close(found.rotations, stage.rotations, atol=1e-4, rtol=0)


def test_head_and_limbs_keep_their_rotations_in_space(body: Body) -> None:
    stage, other = random_stage(body, 1), random_stage(body, 2, turn_rad=1.0)
    found = align(body, stage, observe(other, 1.0))
    before = body.chain(stage.rotations, stage.betas)[..., :3, :3]
    after = body.chain(found.rotations, found.betas)[..., :3, :3]
    kept = [row for row, name in enumerate(SMPL_JOINTS) if name not in TURNED]
    torch.testing.assert_close(after[:, kept], before[:, kept], atol=1e-5, rtol=0)
    turned = [row for row, name in enumerate(SMPL_JOINTS) if name in TURNED]
    assert ((after - before)[:, turned].abs().amax((2, 3)) > 1e-3).all()


@pytest.mark.parametrize("limb", ["hip", "shoulder"])
def test_a_pelvis_turned_to_the_wrong_side_turns_to_the_right_one(body: Body, limb: Limb) -> None:
    upright = torch.eye(3).expand(2, 24, 3, 3).clone()
    upright[:, 0] = rotation_from_axis_angle(torch.tensor([[0.0, 2.6, 0.0], [0.0, -2.6, 0.0]]))
    truth = look(body, upright, torch.zeros(2, 10))
    # Both turn their backs; one hip and shoulder of these are on the wrong side of the other.
    wrong = upright.clone()
    wrong[:, 0] = rotation_from_axis_angle(torch.tensor([[0.0, 1.2, 0.0], [0.0, -1.2, 0.0]]))
    stage = look(body, wrong, torch.zeros(2, 10))
    found = align(body, stage, observe(truth, 1.0))
    aligned = look(body, found.rotations, found.betas)
    sides = [line(each, limb)[:, 0].sign() for each in (truth, stage, aligned)]
    assert not torch.equal(sides[0], sides[1])
    assert torch.equal(sides[0], sides[2])
    angles = [
        torch.cosine_similarity(line(each, limb), line(truth, limb)).acos().rad2deg()
        for each in (stage, aligned)
    ]
    assert (angles[1] < 0.5 * angles[0]).all()


def test_invisible_keypoints_turn_nothing(body: Body) -> None:
    stage, other = random_stage(body, 3), random_stage(body, 4, turn_rad=1.0)
    found = align(body, stage, observe(other, 0.0))
    torch.testing.assert_close(found.rotations, stage.rotations, atol=1e-5, rtol=0)
