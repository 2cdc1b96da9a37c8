import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from smpler_model.geometry import rotation_from_axis_angle
from training.metrics import align, aligned_joint_error, joint_error, vertex_error


def random_joints(seed: int, n: int = 4) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 14, 3, generator=g, dtype=torch.float64)


def test_one_joint_off() -> None:
    target = random_joints(0)
    predicted = target.clone()
    predicted[:, 0, 1] += 0.14  # an ankle, by 140 mm
    torch.testing.assert_close(joint_error(predicted, target), torch.full((4,), 10.0).double())


def test_joint_error_ignores_places_but_not_turns() -> None:
    target = random_joints(0)
    assert joint_error(target + torch.tensor([0.1, 0.2, 0.3]), target).max() < 1e-9
    assert joint_error(target * torch.tensor([-1.0, -1.0, 1.0]), target).min() > 100


@given(
    st.lists(st.floats(-3, 3), min_size=3, max_size=3),
    st.floats(0.2, 5),
    st.integers(0, 100),
)
def test_alignment_undoes_similarities(vector: list[float], scale: float, seed: int) -> None:
    target = random_joints(seed)
    turn = rotation_from_axis_angle(torch.tensor(vector, dtype=torch.float64))
    moved = scale * target @ turn.T + torch.tensor([0.5, -1.0, 2.0])
    assert aligned_joint_error(moved, target).max() < 1e-6


def test_alignment_never_mirrors() -> None:
    target = random_joints(1)
    mirrored = target * torch.tensor([-1.0, 1.0, 1.0])
    assert aligned_joint_error(mirrored, target).min() > 100


def test_alignment_is_the_best() -> None:
    points, target = random_joints(2), random_joints(3)
    best = (align(points, target) - target).square().sum((1, 2))
    nearby = rotation_from_axis_angle(torch.tensor([0.02, -0.01, 0.03], dtype=torch.float64))
    middle = target.mean(1, keepdim=True)
    for change in (nearby, 1.01 * torch.eye(3, dtype=torch.float64)):
        other = (align(points, target) - middle) @ change + middle
        assert ((other - target).square().sum((1, 2)) > best).all()


def test_alignment_of_a_single_point_is_finite() -> None:
    assert align(torch.zeros(1, 14, 3), torch.randn(1, 14, 3)).isfinite().all()


def test_vertex_error_in_millimetres() -> None:
    target, pelvis = torch.zeros(2, 5, 3), torch.zeros(2, 3)
    predicted = target + torch.tensor([3.0, 4.0, 0.0]) / 1000
    error = vertex_error(predicted, target, pelvis, pelvis)
    assert error.tolist() == pytest.approx([5.0, 5.0], rel=1e-5)
    assert math.isclose(
        vertex_error(predicted, target, pelvis + 0.003, pelvis)[0], 10**0.5, rel_tol=1e-4
    )
