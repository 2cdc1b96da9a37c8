"""Limbs turn towards keypoints, as far as these are visible and bones are long."""

import pytest
import torch
from torch import Tensor

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.limb_alignment import LimbAlignment
from smpler_model.network.limbs import joints_of, take_limbs
from tests.smpler_model.network.aligned_stages import WIDTH, look, observe, random_stage

MOVED = ("elbow", "knee", "wrist", "ankle")


def align(body: Body, stage: Stage, observed: Tensor) -> Estimate:
    queries = torch.zeros(len(observed), 26, WIDTH)
    found: Estimate = LimbAlignment(WIDTH)(stage, queries, observed, body)
    return found


@pytest.fixture
def body(body_arrays: BodyArrays) -> Body:
    return Body(body_arrays)


def test_an_estimate_that_agrees_with_its_keypoints_stays(body: Body) -> None:
    stage = random_stage(body, 0)
    found = align(body, stage, observe(stage, 1.0))
    torch.testing.assert_close(found.rotations, stage.rotations, atol=1e-4, rtol=0)


def test_visible_keypoints_bring_limbs_closer(body: Body) -> None:
    stage, other = random_stage(body, 1), random_stage(body, 2)
    truth = look(
        body,
        torch.where(is_limb()[None, :, None, None], other.rotations, stage.rotations),
        stage.betas,
    )
    errors = []
    for visibility in (0.01, 0.5, 1.0):
        found = align(body, stage, observe(truth, visibility))
        keypoints = look(body, found.rotations, found.betas).keypoints
        errors.append(take_limbs(keypoints - truth.keypoints, MOVED).norm(dim=-1).mean().item())
    before = take_limbs(stage.keypoints - truth.keypoints, MOVED).norm(dim=-1).mean().item()
    assert errors[0] == pytest.approx(before, rel=0.01)
    assert errors[2] < errors[1] < before
    assert errors[2] < 0.25 * before


def is_limb() -> Tensor:
    rows = joints_of(("shoulder", "elbow", "hip", "knee"))
    return torch.tensor([row in rows for row in range(24)])


def test_only_limbs_turn_and_they_keep_being_rotations(body: Body) -> None:
    stage, truth = random_stage(body, 3), random_stage(body, 4, turn_rad=2.0)
    found = align(body, stage, observe(truth, 1.0))
    assert torch.equal(found.rotations[:, ~is_limb()], stage.rotations[:, ~is_limb()])
    products = found.rotations @ found.rotations.transpose(-1, -2)
    torch.testing.assert_close(products, torch.eye(3).expand(4, 24, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(found.rotations), torch.ones(4, 24))
