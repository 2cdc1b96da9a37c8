"""Pose correctives that keep the built-in body's limbs thick where linear skinning thins them.

Where two bones share a vertex, linear blend skinning averages two positions and pulls the vertex
towards the joint. Blending the rotations instead (Kavan et al., "Geometric skinning with
approximate dual quaternion blending", 2008) keeps its distance. The correctives are the linear
function of SMPL's pose features, R - I, that comes closest to this over rotations up to 115
degrees about many axes; no scans are involved.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS

_ANGLES_DEGREES = (20.0, 45.0, 70.0, 95.0, 115.0)
_LEVELS = 128
_RIDGE = 0.05

# Fraction of the lost thickness that is restored; full strength would make wide joints bulge.
_STRENGTHS = {
    "knee": 0.9, "elbow": 0.9, "wrist": 0.7, "ankle": 0.6, "shoulder": 0.55, "hip": 0.5,
    "neck": 0.5, "head": 0.5, "hand": 0.5, "foot": 0.5,
}  # fmt: skip


def _sample_rotations() -> Rotation:
    axes = np.array([axis for axis in itertools.product((-1, 0, 1), repeat=3) if any(axis)])
    axes = axes / np.sqrt(np.square(axes).sum(axis=1, keepdims=True))
    vectors = np.radians(_ANGLES_DEGREES)[:, None, None] * axes
    return Rotation.from_rotvec(vectors.reshape(-1, 3))


def fit_responses(shares: Floats) -> Floats:
    """Return the offset per pose feature for vertices that follow a joint's rotation partly.

    Args:
        shares: skinning weight (k,) of the moving side, 0 to 1.

    Returns:
        (k, 3, 3, 9): multiplied by a vertex's position relative to the joint (3,) and the features
        R - I, row by row (9,), it gives the vertex's offset in the rest pose.
    """
    rotations = _sample_rotations()
    matrices = rotations.as_matrix()
    features = (matrices - np.eye(3)).reshape(-1, 9)
    solve = np.linalg.inv(features.T @ features + _RIDGE * np.eye(9)) @ features.T
    quaternions = rotations.as_quat(canonical=True)
    still = np.array([0.0, 0.0, 0.0, 1.0])
    responses = np.zeros((len(shares), 3, 3, 9))
    for number, share in enumerate(shares):
        wanted = Rotation.from_quat(share * quaternions + (1 - share) * still).as_matrix()
        skinned = share * matrices + (1 - share) * np.eye(3)
        offsets = np.linalg.solve(skinned, wanted) - np.eye(3)
        responses[number] = (solve @ offsets.reshape(-1, 9)).T.reshape(3, 3, 9)
    return responses


def _moving_share(weights: Floats, joint: int) -> Floats:
    """Return the part of each vertex (v,) that moves with a joint or with those below it."""
    below = {joint}
    for child, parent in enumerate(SMPL_PARENTS):
        if parent in below:
            below.add(child)
    share: Floats = weights[:, sorted(below)].sum(axis=1)
    return share


def pose_correctives(points: Floats, weights: Floats, joints: Floats) -> Floats:
    """Return SMPL's pose directions (v, 3, 207), m.

    Args:
        points: Vertices (v, 3), m.
        weights: Skinning weights (v, 24).
        joints: Joint centres (24, 3), m.
    """
    levels = np.arange(_LEVELS + 1) / _LEVELS
    responses = fit_responses(levels)
    directions = np.zeros((len(points), 3, 9 * (len(joints) - 1)))
    for joint, name in enumerate(SMPL_JOINTS):
        strength = _STRENGTHS.get(name.split("_")[-1], 0.0)
        if strength == 0.0:
            continue
        share = _moving_share(weights, joint)
        level = np.round(share * _LEVELS).astype(np.int64)
        moved = np.einsum("vabf,vb->vaf", responses[level], points - joints[joint])
        directions[:, :, 9 * (joint - 1) : 9 * joint] = strength * moved
    return directions
