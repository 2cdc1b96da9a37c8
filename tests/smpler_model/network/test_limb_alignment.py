"""Limbs turn towards keypoints, as far as these are visible and bones are long."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from smpler_model.body.arrays import BodyArrays
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import project_weak_perspective, rotation_from_axis_angle
from smpler_model.network.limb_alignment import LimbAlignment, bend_bones
from smpler_model.network.limbs import joints_of, take_limbs

MOVED = ("elbow", "knee", "wrist", "ankle")
WIDTH = 8


def look(body: Body, rotations: Tensor, betas: Tensor) -> Stage:
    camera = torch.tensor([[0.9, 0.05, -0.1]]).expand(len(betas), 3)
    joints = body.joints(rotations, betas)
    return Stage(rotations, betas, camera, joints, project_weak_perspective(joints, camera))


def random_stage(body: Body, seed: int, turn_rad: float = 0.3) -> Stage:
    generator = torch.Generator().manual_seed(seed)
    turns = turn_rad * torch.randn(4, 24, 3, generator=generator)
    return look(body, rotation_from_axis_angle(turns), torch.randn(4, 10, generator=generator))


def observe(stage: Stage, visibility: float) -> Tensor:
    """Return a body's own joints as keypoints."""
    keypoints = take_limbs(stage.keypoints)
    return torch.cat((keypoints, torch.full_like(keypoints[..., :1], visibility)), -1)


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


@given(st.integers(0, 10_000), st.floats(0.01, 400.0), st.floats(0.01, 2.0))
def test_bones_keep_their_lengths_and_get_nearer(seed: int, trust: float, far: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    bones = 0.3 * torch.randn(1, 8, 3, generator=generator, dtype=torch.float64)
    places = bones[..., :2] + far * torch.randn(1, 8, 2, generator=generator, dtype=torch.float64)
    found = bend_bones(bones, places, torch.full((1, 8, 1), trust, dtype=torch.float64))
    torch.testing.assert_close(found.norm(dim=-1), bones.norm(dim=-1))
    # What is minimised is not larger than before.
    cost = trust * ((found[..., :2] - places) ** 2).sum(-1) + ((found - bones) ** 2).sum(-1)
    before = trust * ((bones[..., :2] - places) ** 2).sum(-1)
    assert (cost <= before + 1e-9).all()


def test_a_bone_in_the_image_plane_stays_there() -> None:
    bones = torch.tensor([[[0.3, 0.0, 0.0]]])
    found = bend_bones(bones, torch.tensor([[[0.0, 0.1]]]), torch.tensor([[[100.0]]]))
    assert found[0, 0, 2] == 0
    assert found[0, 0, 1] > 0.29


def test_gradients_are_finite_for_any_bone() -> None:
    bones = torch.tensor(
        [[[0.3, 0.0, 0.0], [0.0, 0.0, -0.3], [0.1, 0.2, 0.0]]], requires_grad=True
    )
    places = torch.zeros(1, 3, 2, requires_grad=True)
    trust = torch.ones(1, 3, 1, requires_grad=True)
    bend_bones(bones, places, trust).square().sum().backward()
    for each in (bones, places, trust):
        assert each.grad is not None
        assert each.grad.isfinite().all()
