import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation
from torch.autograd import gradcheck

from smpler_model.network.geometry import (
    project_weak_perspective,
    rotation_from_6d,
    rotation_from_axis_angle,
    rotation_to_ray,
    skew_from_vector,
    smallest_rotation,
    turn_pelvis,
    unit,
)

numbers = st.floats(-1e3, 1e3, allow_subnormal=False)
six_numbers = arrays(np.float64, (6,), elements=numbers)
angles = arrays(np.float64, (3,), elements=st.floats(-3, 3))


@given(arrays(np.float64, (5, 3), elements=numbers | st.floats(-1e-12, 1e-12)))
def test_units_are_those_of_pytorch(vectors: np.ndarray) -> None:
    given_vectors = torch.from_numpy(vectors)
    assert torch.equal(unit(given_vectors), F.normalize(given_vectors, dim=-1))


@given(six_numbers)
def test_six_numbers_give_a_rotation_unless_degenerate(six: np.ndarray) -> None:
    first, second = six.reshape(3, 2).T
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    assume(lengths > 1e-6)
    assume(np.linalg.norm(np.cross(first, second)) > 1e-3 * lengths)
    assume(min(np.linalg.norm(first), np.linalg.norm(second)) > 1e-6)

    rotation = rotation_from_6d(torch.from_numpy(six))

    assert torch.allclose(rotation.T @ rotation, torch.eye(3).double(), atol=1e-10)
    assert torch.linalg.det(rotation).item() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "six",
    [
        pytest.param([0.0] * 6, id="zeros"),
        pytest.param([0, 1, 0, 0, 0, 0], id="first column zero"),
        pytest.param([1, 0, 0, 0, 0, 0], id="second column zero"),
        pytest.param([1, 2, 1, 2, 1, 2], id="parallel"),
        pytest.param([1e-30] * 6, id="vanishing"),
        pytest.param([1e15, -1e15, 1e15, 0, 0, 0], id="huge"),
    ],
)
def test_degenerate_six_numbers_stay_finite(six: list[float], dtype: torch.dtype) -> None:
    values = torch.tensor(six, dtype=dtype, requires_grad=True)
    rotation = rotation_from_6d(values)
    rotation.sum().backward()
    assert rotation.isfinite().all()
    assert values.grad is not None
    assert values.grad.isfinite().all()


def test_six_numbers_are_rows_of_two() -> None:
    quarter_turn_about_z = torch.tensor([0.0, -1, 1, 0, 0, 0])
    expected = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert torch.equal(rotation_from_6d(quarter_turn_about_z), expected)


@given(angles)
def test_six_numbers_of_a_rotation_restore_it(vector: np.ndarray) -> None:
    rotation = torch.from_numpy(Rotation.from_rotvec(vector).as_matrix())
    assert torch.allclose(rotation_from_6d(rotation[:, :2].flatten()), rotation, atol=1e-12)


@given(angles, st.sampled_from([1.0, 1e-3, 1e-5, 1e-12, 0.0]))
def test_axis_angle_agrees_with_scipy(vector: np.ndarray, scale: float) -> None:
    vector = vector * scale
    expected = Rotation.from_rotvec(vector).as_matrix()
    found = rotation_from_axis_angle(torch.from_numpy(vector))
    assert np.allclose(found.numpy(), expected, atol=1e-13)


def test_axis_angle_has_gradients_at_zero_too() -> None:
    vectors = torch.tensor([[0.0, 0, 0], [0.3, -1.1, 0.7]], dtype=torch.float64)
    assert gradcheck(rotation_from_axis_angle, vectors.requires_grad_())


def test_skew_matrix_takes_the_cross_product() -> None:
    a, b = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    product = (skew_from_vector(a) @ b[..., None]).squeeze(-1)
    assert torch.allclose(product, torch.linalg.cross(a, b))


def test_projection_scales_after_translating() -> None:
    points = torch.tensor([[[1.0, 2.0, 9.0], [0.0, -1.0, -9.0]]])
    camera = torch.tensor([[0.5, 1.0, -2.0]])
    expected = torch.tensor([[[1.0, 0.0], [0.5, -1.5]]])
    assert torch.equal(project_weak_perspective(points, camera), expected)


@given(arrays(np.float64, (2,), elements=st.floats(-5, 5)))
def test_a_camera_rotated_to_a_ray_does_not_roll(plane: np.ndarray) -> None:
    ray = torch.tensor([*plane, 1.0]).double()
    turn = rotation_to_ray(ray)
    length = ray.norm()
    assert torch.allclose(turn @ torch.tensor([0, 0, 1.0]).double(), ray / length, atol=1e-12)
    assert torch.allclose(turn.T @ turn, torch.eye(3).double(), atol=1e-12)
    vector = Rotation.from_matrix(turn.numpy()).as_rotvec()
    assert vector[2] == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(vector) == pytest.approx(math.acos(1 / length.item()), abs=1e-6)


def test_only_the_pelvis_is_rotated() -> None:
    poses = torch.from_numpy(Rotation.random(48, random_state=0).as_matrix()).view(2, 24, 3, 3)
    turns = torch.from_numpy(Rotation.random(2, random_state=1).as_matrix())
    turned = turn_pelvis(poses, turns)
    assert torch.equal(turned[:, 1:], poses[:, 1:])
    assert torch.allclose(turned[:, 0], turns @ poses[:, 0])


@given(angles, angles)
def test_the_smallest_rotation_turns_one_vector_into_the_other(
    a: np.ndarray, b: np.ndarray
) -> None:
    assume(min(np.linalg.norm(a), np.linalg.norm(b)) > 1e-3)
    angle = math.acos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
    assume(math.pi - angle > 1e-3)
    rotation = smallest_rotation(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    assert rotation @ a / np.linalg.norm(a) == pytest.approx(b / np.linalg.norm(b), abs=1e-9)
    assert Rotation.from_matrix(rotation).magnitude() == pytest.approx(angle, abs=1e-6)


def test_the_smallest_rotation_to_the_opposite_is_a_half_turn() -> None:
    start = torch.eye(3, dtype=torch.float64)
    rotation = smallest_rotation(start, -start)
    assert torch.allclose((rotation @ start[..., None]).squeeze(-1), -start)
    assert torch.allclose(torch.linalg.det(rotation), torch.ones(3, dtype=torch.float64))
