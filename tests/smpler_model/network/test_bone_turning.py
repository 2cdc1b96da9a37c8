"""Bones turn towards where keypoints are, and keep their lengths."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from smpler_model.network.bone_turning import BoneTurning, bend_bones


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


def test_less_visible_keypoints_count_less() -> None:
    turning = BoneTurning(2, 3, of_kind=2)
    visibility = torch.tensor([0.0, 0.3, 0.6, 1.0]).reshape(1, 4, 1)
    trust = turning.weigh(torch.zeros(1, 4, 3), visibility).flatten()
    assert (trust.diff() > 0).all()
    assert trust[0] < 1e-9


def test_each_kind_of_bone_has_its_own_trust() -> None:
    turning = BoneTurning(2, 3, of_kind=2)
    with torch.no_grad():
        turning.of_query[1, 0] = -2.0
    queries = torch.ones(1, 4, 3)
    trust = turning.weigh(queries, torch.ones(1, 4, 1)).flatten()
    torch.testing.assert_close(trust[2:], trust[:2] * torch.tensor(-2.0).exp())
