"""The built-in body's 24 joints in the rest pose, and the construction of the right half."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS, other_side

# Centres of rotation of the left half and the middle, m. They were chosen for this body: inside
# the limbs, at heights that follow from segment lengths as fractions of stature.
_CENTRES = {
    "pelvis": (0.0, -0.225, 0.000),
    "left_hip": (0.078, -0.315, -0.002),
    "spine1": (0.0, -0.110, -0.005),
    "left_knee": (0.096, -0.690, 0.000),
    "spine2": (0.0, 0.025, -0.006),
    "left_ankle": (0.0925, -1.085, -0.028),
    "spine3": (0.0, 0.085, -0.004),
    "left_foot": (0.107, -1.138, 0.095),
    "neck": (0.0, 0.285, -0.018),
    "left_collar": (0.075, 0.195, -0.015),
    "head": (0.0, 0.358, 0.008),
    "left_shoulder": (0.172, 0.216, -0.021),
    "left_elbow": (0.432, 0.211, -0.036),
    "left_wrist": (0.693, 0.2135, -0.041),
    "left_hand": (0.780, 0.2138, -0.041),
}


def joint_centres() -> Floats:
    """Return the centres of the joints at rest, (24, 3), m, exactly symmetric about x = 0."""
    centres = np.zeros((len(SMPL_JOINTS), 3))
    for number, name in enumerate(SMPL_JOINTS):
        side = -1.0 if name.startswith("right_") else 1.0
        x, y, z = _CENTRES[name if name in _CENTRES else other_side(name)]
        centres[number] = (side * x, y, z)
    return centres


def kintree_table() -> NDArray[np.uint32]:
    """Return SMPL's table (2, 24): parents (2^32 - 1 for the root) and joint numbers."""
    parents = np.array(SMPL_PARENTS, dtype=np.int64) % 2**32
    return np.stack([parents, np.arange(len(SMPL_PARENTS))]).astype(np.uint32)


def join_halves(half: Floats, faces: Integers) -> tuple[Floats, Integers, Integers]:
    """Build the whole body from its left half.

    Args:
        half: Vertices (n, 3) with x >= 0; those on the seam have x = 0 exactly.
        faces: Triangles (m, 3) of the half.

    Returns:
        Vertices (v, 3), the left half first; triangles (2 m, 3); and the mirror permutation (v,):
        vertex `mirror[i]` is the reflection of vertex i.
    """
    seam = half[:, 0] == 0.0
    inner = np.flatnonzero(~seam)
    mirror = np.arange(len(half) + len(inner))
    mirror[inner] = len(half) + np.arange(len(inner))
    mirror[len(half) :] = inner
    reflected = half[inner] * np.array([-1.0, 1.0, 1.0])
    other_faces = mirror[faces][:, ::-1]
    return np.concatenate([half, reflected]), np.concatenate([faces, other_faces]), mirror
