"""Turns that would bring an estimate's bones to the keypoints."""

import pytest
import torch
from torch import Tensor

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Stage
from smpler_model.network.geometry import rotation_from_axis_angle
from smpler_model.network.keypoint_feedback import take_observed
from smpler_model.network.limbs import Limb, take_limbs
from smpler_model.network.turn_feedback import (
    TURN_SIZE,
    TURNED_ROWS,
    add_to_turned,
    find_turns,
)
from tests.smpler_model.network.aligned_stages import look, observe, random_stage

STARTS: tuple[Limb, ...] = ("shoulder", "elbow", "hip", "knee")
ENDS: tuple[Limb, ...] = ("elbow", "wrist", "knee", "ankle")
TRUNK = 2  # pelvis and chest come first


@pytest.fixture
def body(body_arrays: BodyArrays) -> Body:
    return Body(body_arrays)


def limb_errors(stage: Stage, observed: Tensor) -> Tensor:
    """Return how far each limb bone's end is from its keypoint, as seen from its start, (b, 8)."""
    bones = take_limbs(stage.keypoints, ENDS) - take_limbs(stage.keypoints, STARTS)
    seen = take_observed(observed, ENDS) - take_observed(observed, STARTS)
    return (bones - seen[..., :2]).norm(dim=-1)


def test_rows_are_those_of_pelvis_chest_and_limbs() -> None:
    assert [SMPL_JOINTS[row] for row in TURNED_ROWS] == [
        "pelvis",
        "spine3",
        *(f"{side}_{limb}" for limb in STARTS for side in ("left", "right")),
    ]


def test_limbs_that_agree_with_their_keypoints_need_no_turn(body: Body) -> None:
    stage = random_stage(body, 0)
    found = find_turns(stage, observe(stage, 0.6), body)
    assert found.shape == (4, len(TURNED_ROWS), TURN_SIZE)
    assert found[:, TRUNK:, :6].abs().max() < 1e-4
    torch.testing.assert_close(found[..., -1], torch.full((4, len(TURNED_ROWS)), 0.6))


@pytest.mark.parametrize("seed", range(3))
def test_a_step_along_the_turn_brings_each_limb_closer(body: Body, seed: int) -> None:
    stage, truth = random_stage(body, seed), random_stage(body, seed + 10)
    observed = observe(truth, 1.0)
    found = find_turns(stage, observed, body)
    torch.testing.assert_close(found[..., 3:6], found[..., :3])
    before = limb_errors(stage, observed)
    for bone, row in enumerate(TURNED_ROWS[TRUNK:]):
        turn = rotation_from_axis_angle(0.05 * found[:, TRUNK + bone, :3])
        rotations = stage.rotations.clone()
        rotations[:, row] = rotations[:, row] @ turn
        after = limb_errors(look(body, rotations, stage.betas), observed)
        assert (after[:, bone] <= before[:, bone]).all()
        assert after[:, bone].mean() < 0.995 * before[:, bone].mean()


def test_the_camera_looks_along_its_axis_in_each_joints_own(body: Body) -> None:
    stage = random_stage(body, 1)
    axes = find_turns(stage, observe(stage, 1.0), body)[..., 6:9]
    frames = body.chain(stage.rotations, stage.betas)[:, list(TURNED_ROWS), :3, :3]
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand(4, len(TURNED_ROWS), 3)
    torch.testing.assert_close((frames @ axes[..., None])[..., 0], ahead, atol=1e-5, rtol=0)


def test_hips_labelled_wider_than_the_bodys_are_no_turn(body: Body) -> None:
    stage = random_stage(body, 0)
    observed = observe(stage, 1.0)
    assert find_turns(stage, observed, body)[:, 0, :3].abs().max() > 0.1
    hips = slice(6, 8)
    middle = observed[:, hips].mean(1, keepdim=True)
    observed[:, hips] = middle + (observed[:, hips] - middle) / 0.7
    assert find_turns(stage, observed, body)[:, 0, :3].abs().max() < 1e-4


def test_feedback_is_added_to_the_queries_of_these_joints() -> None:
    more = torch.randn(2, len(TURNED_ROWS), 5)
    found = add_to_turned(torch.zeros(2, 26, 5), more)
    torch.testing.assert_close(found[:, list(TURNED_ROWS)], more)
    others = [row for row in range(26) if row not in TURNED_ROWS]
    assert not found[:, others].any()
