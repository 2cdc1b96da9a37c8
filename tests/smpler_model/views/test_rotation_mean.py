"""Means of rotations: the laws that every mean obeys."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from smpler_model.views.rotation_mean import mean_by_axis, mean_rotation

SEEDS = st.integers(0, 2**31)


def near(rng: np.random.Generator, v: int, n: int, spread: float = 0.4) -> np.ndarray:
    """Return rotations (v, n, 3, 3), those of each column close to each other."""
    middle = Rotation.random(n, random_state=int(rng.integers(2**31))).as_matrix()
    turns = Rotation.from_rotvec(rng.normal(0, spread, (v * n, 3))).as_matrix()
    return turns.reshape(v, n, 3, 3) @ middle


def symmetric(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return positive definite matrices (*shape, 3, 3)."""
    roots = rng.normal(size=(*shape, 3, 3))
    return roots @ roots.swapaxes(-1, -2) + 0.1 * np.eye(3)


@given(seed=SEEDS, v=st.integers(1, 5))
def test_the_chordal_mean_is_an_equivariant_rotation(seed: int, v: int) -> None:
    rng = np.random.default_rng(seed)
    rotations, weights = near(rng, v, 3), rng.uniform(0.1, 1, (v, 3))
    left, right = Rotation.random(2, random_state=seed).as_matrix()
    mean = mean_rotation(rotations, weights)
    identity = np.tile(np.eye(3), (3, 1, 1))
    np.testing.assert_allclose(mean @ mean.swapaxes(-1, -2), identity, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(mean), 1)
    turned = mean_rotation(left @ rotations @ right, weights)
    np.testing.assert_allclose(turned, left @ mean @ right, atol=1e-8)


@given(seed=SEEDS, v=st.integers(1, 5))
def test_the_mean_by_axis_turns_with_the_frame(seed: int, v: int) -> None:
    rng = np.random.default_rng(seed)
    rotations, weights = near(rng, v, 3), symmetric(rng, v, 3)
    turn, local = Rotation.random(2, random_state=seed).as_matrix()
    turned = mean_by_axis(turn @ rotations @ local, turn @ weights @ turn.T)
    np.testing.assert_allclose(turned, turn @ mean_by_axis(rotations, weights) @ local, atol=1e-6)


@given(seed=SEEDS, v=st.integers(1, 5))
def test_the_order_does_not_matter_and_equal_rotations_are_their_mean(seed: int, v: int) -> None:
    rng = np.random.default_rng(seed)
    rotations, weights = near(rng, v, 3), symmetric(rng, v, 3)
    order = rng.permutation(v)
    shuffled = mean_by_axis(rotations[order], weights[order])
    np.testing.assert_allclose(shuffled, mean_by_axis(rotations, weights), atol=1e-9)
    same = np.repeat(rotations[:1], v, 0)
    np.testing.assert_allclose(mean_by_axis(same, weights), rotations[0], atol=1e-7)


def test_with_equal_weights_two_rotations_meet_halfway() -> None:
    turns = Rotation.from_rotvec([[0, 0, 0.2], [0, 0, 1.0]]).as_matrix()[:, None]
    halfway = Rotation.from_rotvec([0, 0, 0.6]).as_matrix()
    np.testing.assert_allclose(mean_rotation(turns, np.ones((2, 1)))[0], halfway, atol=1e-9)
    weights = np.broadcast_to(np.eye(3), (2, 1, 3, 3))
    np.testing.assert_allclose(mean_by_axis(turns, weights)[0], halfway, atol=1e-9)


def test_each_axis_is_decided_by_whoever_knows_it() -> None:
    """One knows turns about x alone, the other those about y."""
    first, second = Rotation.from_rotvec([[0.02, -0.3, 0], [0.4, 0.03, 0]]).as_matrix()
    weights = np.array([np.diag([1.0, 1e-6, 1]), np.diag([1e-6, 1.0, 1])])[:, None]
    mean = mean_by_axis(np.array([first, second])[:, None], weights)[0]
    np.testing.assert_allclose(Rotation.from_matrix(mean).as_rotvec()[:2], [0.02, 0.03], atol=0.01)


def test_nothing_has_no_mean() -> None:
    assert mean_by_axis(np.empty((2, 0, 3, 3)), np.empty((2, 0, 3, 3))).shape == (0, 3, 3)
