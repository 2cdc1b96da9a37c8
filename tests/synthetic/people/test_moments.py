import math

import pytest
import torch
from torch import Tensor

from synthetic.people.gestures import JOINT
from synthetic.people.moments import draw_moments
from tests.synthetic.people.joint_limits import JOINT_LIMITS

SWAY = 0.3  # rad; largest random deviation of a joint


@pytest.fixture(scope="module")
def moments() -> Tensor:
    return draw_moments(200, torch.Generator().manual_seed(0))


def angles(rotations: Tensor) -> Tensor:
    trace = rotations.diagonal(dim1=-2, dim2=-1).sum(-1)
    return ((trace - 1) / 2).clamp(-1, 1).acos()


def test_moments_are_rotations(moments: Tensor) -> None:
    identity = torch.eye(3).expand_as(moments)
    torch.testing.assert_close(moments @ moments.transpose(2, 3), identity, atol=1e-5, rtol=0)
    assert torch.linalg.det(moments).min() > 0.99


def test_moments_stay_within_human_limits(moments: Tensor) -> None:
    most = angles(moments).amax(0)
    assert not [name for name, row in JOINT.items() if most[row] > JOINT_LIMITS[row] + SWAY]


def test_some_sit_some_walk_and_all_are_upright(moments: Tensor) -> None:
    knees = angles(moments)[:, [JOINT["left_knee"], JOINT["right_knee"]]]
    assert 0.05 < (knees.amin(1) > math.radians(60)).float().mean() < 0.25
    assert ((knees[:, 0] - knees[:, 1]).abs() > math.radians(15)).float().mean() > 0.1
    assert moments[:, 0, 1, 1].min() > 0.9


@pytest.mark.parametrize("n", [1, 5])
def test_moments_are_seeded(n: int) -> None:
    first, again = (draw_moments(n, torch.Generator().manual_seed(2)) for _ in range(2))
    assert first.shape == (n, 24, 3, 3)
    assert torch.equal(first, again)
