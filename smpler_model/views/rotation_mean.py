"""Weighted means of rotations on SO(3), also with weights that differ by axis."""

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats

_STEPS = 3
_LEAST_WEIGHT = 1e-9


def mean_rotation(rotations: Floats, weights: Floats) -> Floats:
    """Return the chordal means of rotations: those closest in the Frobenius norm.

    It is equivariant: turning all rotations, from the left or from the right, turns the mean.

    Args:
        rotations: (v, ..., 3, 3).
        weights: (v, ...), not negative; all zero counts as all equal.

    Returns:
        (..., 3, 3).

    Source: Hartley et al., "Rotation Averaging", IJCV 2013, section 5.3.
    """
    total = ((weights + _LEAST_WEIGHT)[..., None, None] * rotations).sum(0)
    u, _, vh = np.linalg.svd(total)
    signs = np.ones(total.shape[:-1])
    signs[..., 2] = np.sign(np.linalg.det(u @ vh))
    mean: Floats = (u * signs[..., None, :]) @ vh
    return mean


def mean_by_axis(rotations: Floats, weights: Floats) -> Floats:
    """Return means of rotations whose certainty differs by axis.

    With errors e of rotations R, R = exp(e) M, the mean M minimises the sum of e^T W e. It begins
    at the chordal mean and takes a few Gauss-Newton steps.

    Args:
        rotations: (v, ..., 3, 3) in a common frame.
        weights: (v, ..., 3, 3) symmetric, not negative; the information about turns about the
            axes of the common frame.

    Returns:
        (..., 3, 3).
    """
    if not rotations.size:
        return np.asarray(rotations.sum(0))
    weights = weights + _LEAST_WEIGHT * np.eye(3)
    inverse = np.linalg.inv(weights.sum(0))
    mean = mean_rotation(rotations, np.trace(weights, axis1=-2, axis2=-1) / 3)
    for _ in range(_STEPS):
        errors = _log(rotations @ mean.swapaxes(-1, -2))
        step = (inverse @ (weights @ errors[..., None]).sum(0))[..., 0]
        mean = _exp(step) @ mean
    return mean


def _log(rotations: Floats) -> Floats:
    """(..., 3, 3) -> rotation vectors (..., 3), rad."""
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec()
    return np.asarray(flat.reshape(rotations.shape[:-1]))


def _exp(vectors: Floats) -> Floats:
    """(..., 3) rotation vectors, rad -> (..., 3, 3)."""
    flat = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(flat.reshape(*vectors.shape, 3))
