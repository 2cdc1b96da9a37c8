"""Weighted means of rotations on SO(3), also with weights that differ by axis."""

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats

_STEPS = 4
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
    return nearest_rotation(((weights + _LEAST_WEIGHT)[..., None, None] * rotations).sum(0))


def nearest_rotation(matrices: Floats) -> Floats:
    """Return the rotations (..., 3, 3) closest to matrices in the Frobenius norm."""
    u, _, vh = np.linalg.svd(matrices)
    signs = np.ones(matrices.shape[:-1])
    signs[..., 2] = np.sign(np.linalg.det(u @ vh))
    nearest: Floats = (u * signs[..., None, :]) @ vh
    return nearest


def mean_by_axis(rotations: Floats, weights: Floats, usual_rad: float = np.inf) -> Floats:
    """Return means of rotations whose certainty differs by axis.

    With errors e of rotations R, R = exp(e) M, the mean M minimises the sum of e^T W e. It begins
    at the chordal mean and takes a few Gauss-Newton steps. Errors beyond the usual one count by
    their size instead of its square, so that the many outvote the few.

    Args:
        rotations: (v, ..., 3, 3) in a common frame.
        weights: (v, ..., 3, 3) symmetric, not negative; the information about turns about the
            axes of the common frame.
        usual_rad: errors up to this count by their square, rad; by default all.

    Returns:
        (..., 3, 3).

    Source: Hartley et al., "L1 rotation averaging using the Weiszfeld algorithm", CVPR 2011; with
    Huber's function.
    """
    if not rotations.size:
        return np.asarray(rotations.sum(0))
    weights = weights + _LEAST_WEIGHT * np.eye(3)
    views = len(rotations)
    turns = Rotation.from_matrix(rotations.reshape(-1, 3, 3))
    begin = mean_rotation(rotations, np.trace(weights, axis1=-2, axis2=-1) / 3)
    mean = Rotation.from_matrix(begin.reshape(-1, 3, 3))
    for _ in range(_STEPS):
        back = Rotation.from_quat(np.tile(mean.inv().as_quat(), (views, 1)))
        errors = (turns * back).as_rotvec().reshape(rotations.shape[:-1])
        angles = np.linalg.norm(errors, axis=-1)
        counted = weights / np.maximum(angles / usual_rad, 1)[..., None, None]
        step = np.linalg.solve(counted.sum(0), (counted @ errors[..., None]).sum(0))[..., 0]
        mean = Rotation.from_rotvec(step.reshape(-1, 3)) * mean
    return np.asarray(mean.as_matrix().reshape(rotations.shape[1:]))
