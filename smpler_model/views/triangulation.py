"""Triangulates the joints of a person from the rays of all views.

A view shows the direction of a joint well, its depth relative to other joints less well, and the
person's distance hardly at all: a person whose size is overestimated is placed too far away. So
each view may move its person along the rays by one factor, which scales body and distance, and the
joints are where the views then agree best. Distances and sizes are thereby triangulated.
"""

from dataclasses import dataclass

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS

_SPREADS_M = {
    **dict.fromkeys(("pelvis", "spine1", "spine2", "spine3"), 0.025),
    **dict.fromkeys(("left_hip", "right_hip", "neck", "left_collar", "right_collar"), 0.028),
    **dict.fromkeys(("head", "left_shoulder", "right_shoulder"), 0.03),
    **dict.fromkeys(("left_elbow", "right_elbow", "left_knee", "right_knee"), 0.04),
    **dict.fromkeys(("left_wrist", "right_wrist", "left_ankle", "right_ankle"), 0.058),
    **dict.fromkeys(("left_hand", "right_hand", "left_foot", "right_foot"), 0.065),
}
ACROSS_M = np.array([_SPREADS_M[name] for name in SMPL_JOINTS])
"""(24) usual errors of joints across their rays, metres along each axis: they grow with the
distance from the torso.
"""

ALONG = 1.8
"""Errors of joints along their rays, against the rest of the body, over those across."""

FREEDOM = 6.0
"""Degrees of freedom of Student's t-distribution of the errors, which has long tails: what one
view takes for another limb, or another person, counts little.
"""

ROUNDS = 3
_AXES = 3


@dataclass(frozen=True)
class Triangulation:
    """Triangulated joints of n people.

    Attributes:
        joints_m: (n, 24, 3).
        factors: (v, n) of the distances of each view's people; 1 where not seen.
        shifts: (n) sum over the views of the squares of how far the factors are from 1, in
            standard deviations.
        misfits: (n) how badly a view and the joints agree: twice the negative logarithm of
            Student's distribution over its maximum, the weighted mean over views and joints. Small
            errors count by their squares, in standard deviations.
    """

    joints_m: Floats
    factors: Floats
    shifts: Floats
    misfits: Floats


def triangulate(
    joints_m: Floats,
    cameras_m: Floats,
    weights: Floats,
    spreads: Floats,
    rounds: int = ROUNDS,
) -> Triangulation:
    """Find the joints and the factors of distance that explain all views best.

    With camera c, joints x and unit rays r of a view, and its factor 1 + s, the sum over views and
    joints of w e^T W e, plus s^2 over the spread's square, is least; e = c + (1 + s) (x - c) - X,
    W = (I - r r^T) / across^2 + r r^T / along^2. It is linear in X and s; a few rounds, in which
    large errors count less, give the estimate for Student's t-distribution (Lange, Little, Taylor,
    "Robust statistical modeling using the t distribution", JASA 1989).

    Args:
        joints_m: (v, n, 24, 3) as each of v views places them, in a common frame.
        cameras_m: (v, n, 3) positions of the cameras.
        weights: (v, n, 24) of the joints, positive for at least one view of each; all zero where
            not seen.
        spreads: (v, n) standard deviations of the factors.
        rounds: number of rounds, at least one; in one, all errors count alike.
    """
    rays_m = joints_m - cameras_m[..., None, :]  # (v, n, 24, 3)
    units = rays_m / np.linalg.norm(rays_m, axis=-1, keepdims=True)
    across, along = ACROSS_M**-2, (ALONG * ACROSS_M) ** -2
    information = across[:, None, None] * np.eye(_AXES) + (along - across)[:, None, None] * (
        units[..., :, None] * units[..., None, :]
    )
    counted = weights
    for _ in range(rounds):
        joints, changes = _solve(joints_m, rays_m, information * counted[..., None, None], spreads)
        errors = joints_m + changes[..., None, None] * rays_m - joints
        squares = (errors * _apply(information, errors)).sum(-1)  # (v, n, 24)
        counted = weights * (FREEDOM + _AXES) / (FREEDOM + squares)
    unlikeliness = (FREEDOM + _AXES) * np.log1p(squares / FREEDOM)
    return Triangulation(
        joints_m=joints,
        factors=1 + changes,
        shifts=((changes / spreads) ** 2).sum(0),
        misfits=(weights * unlikeliness).sum((0, 2)) / weights.sum((0, 2)),
    )


def _solve(
    joints_m: Floats, rays_m: Floats, information: Floats, spreads: Floats
) -> tuple[Floats, Floats]:
    """Return the joints X (n, 24, 3) and the changes s (v, n) for given information."""
    inverse = np.linalg.inv(information.sum(0))  # (n, 24, 3, 3)
    pulls = _apply(information, rays_m)
    unmoved = _apply(inverse, _apply(information, joints_m).sum(0))  # X where all s are 0
    moved = np.einsum("njab,vnjb->vnja", inverse, pulls)  # derivatives of X by s
    matrix = -np.einsum("unja,vnja->nuv", pulls, moved)
    views = np.arange(len(joints_m))
    matrix[:, views, views] += ((pulls * rays_m).sum((-1, -2)) + spreads**-2).T
    sides = -np.einsum("vnja,vnja->nv", pulls, joints_m - unmoved)
    changes = np.linalg.solve(matrix, sides[..., None])[..., 0].T
    return unmoved + np.einsum("vn,vnja->nja", changes, moved), changes


def _apply(matrices: Floats, vectors: Floats) -> Floats:
    return np.asarray((matrices @ vectors[..., None])[..., 0])
