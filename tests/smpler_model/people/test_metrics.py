import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from smpler_model.body.skeleton import H36M_EVALUATED, H36M_JOINTS
from smpler_model.network.geometry import rotation_from_axis_angle
from smpler_model.people.metrics import (
    AUC_THRESHOLDS_MM,
    HIPS,
    acceleration_error,
    align,
    aligned_joint_error,
    auc,
    joint_error,
    pck,
    vertex_error,
)


def random_joints(seed: int, n: int = 4) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, 14, 3, generator=g, dtype=torch.float64)


def test_a_single_displaced_joint() -> None:
    target = random_joints(0)
    predicted = target.clone()
    predicted[:, 0, 1] += 0.14  # an ankle, by 140 mm
    torch.testing.assert_close(joint_error(predicted, target), torch.full((4,), 10.0).double())


def test_joint_error_ignores_translations_but_not_rotations() -> None:
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


def test_hips_are_the_hip_joints() -> None:
    assert {H36M_JOINTS[H36M_EVALUATED[row]] for row in HIPS} == {"left_hip", "right_hip"}


def test_steady_motion_has_no_acceleration_error() -> None:
    target = random_joints(0, 6)
    drift = torch.arange(6.0, dtype=torch.float64)[:, None, None] * torch.randn(14, 3)
    assert acceleration_error(target + drift, target).max() < 1e-9


def test_acceleration_of_a_known_motion() -> None:
    """One joint deviates by t^2 mm: its second difference is 2 mm."""
    target = torch.zeros(5, 14, 3, dtype=torch.float64)
    predicted = target.clone()
    predicted[:, 0, 2] = torch.arange(5.0).double() ** 2 / 1000
    error = acceleration_error(predicted, target)
    assert error.tolist() == pytest.approx([2 / 14] * 3)
    in_seconds = acceleration_error(predicted, target, interval_s=0.1)
    assert in_seconds.tolist() == pytest.approx([200 / 14] * 3)


def test_translations_count_only_if_not_centred() -> None:
    target = random_joints(0, 5)
    path = (torch.arange(5.0).double() ** 2 / 1000)[:, None, None]
    assert acceleration_error(target + path, target).max() < 1e-9
    moved = acceleration_error(target + path, target, centred=False)
    assert moved.tolist() == pytest.approx([2 * 3**0.5] * 3)


@pytest.mark.parametrize("images", [0, 1, 2])
def test_short_sequences_have_no_acceleration(images: int) -> None:
    joints = random_joints(0, images)
    assert acceleration_error(joints, joints).shape == (0,)


def test_pck_counts_joints_within_reach() -> None:
    target = random_joints(0, 1)
    predicted = target.clone()
    predicted[:, 0, 0] += 0.149
    predicted[:, 1, 0] += 0.151
    assert pck(predicted, target).tolist() == pytest.approx([13 / 14])
    assert pck(predicted, target, 140.0).tolist() == pytest.approx([12 / 14])


def test_auc_is_the_mean_of_pck() -> None:
    target = random_joints(0)
    predicted = target + 0.05 * random_joints(1)
    each = [pck(predicted, target, limit) for limit in AUC_THRESHOLDS_MM]
    torch.testing.assert_close(auc(predicted, target), torch.stack(each).mean(0))


def test_arrays_give_arrays() -> None:
    predicted, target = random_joints(0), random_joints(1)
    pelvis = torch.zeros(4, 3, dtype=torch.float64)
    for metric in (joint_error, aligned_joint_error, acceleration_error, pck, auc):
        found = metric(predicted.numpy(), target.numpy())
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, metric(predicted, target).numpy())
    args = (predicted, target, pelvis, pelvis)
    found = vertex_error(*(values.numpy() for values in args))
    np.testing.assert_array_equal(found, vertex_error(*args).numpy())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_non_finite_number_affects_one_person(value: float) -> None:
    """The decomposition would refuse the whole batch."""
    predicted, target = random_joints(0), random_joints(1)
    whole = aligned_joint_error(predicted, target)
    predicted[1, 3, 2] = value
    errors = aligned_joint_error(predicted, target)
    assert not errors[1].isfinite()
    torch.testing.assert_close(errors[[0, 2, 3]], whole[[0, 2, 3]])
