"""The built-in body's 24 joints in its rest pose: SMPL's names, order and kinematic tree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthetic.body.contour import IntArray
from synthetic.body.primitives import FloatArray

JOINT_NAMES = (
    "pelvis", "l_hip", "r_hip", "spine1", "l_knee", "r_knee", "spine2", "l_ankle", "r_ankle",
    "spine3", "l_foot", "r_foot", "neck", "l_collar", "r_collar", "head", "l_shoulder",
    "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist", "l_hand", "r_hand",
)  # fmt: skip

# SMPL's tree; the root has no parent.
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)

# The row of the joint on the other side.
MIRRORED_JOINTS = tuple(
    JOINT_NAMES.index({"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:])
    for name in JOINT_NAMES
)

# Centres of rotation of the left half and the middle, m. They were chosen for this body: inside
# the limbs, at the heights that segment lengths as fractions of stature give.
_CENTRES = {
    "pelvis": (0.0, -0.225, 0.000),
    "l_hip": (0.078, -0.315, -0.002),
    "spine1": (0.0, -0.110, -0.005),
    "l_knee": (0.096, -0.690, 0.000),
    "spine2": (0.0, 0.025, -0.006),
    "l_ankle": (0.0925, -1.085, -0.028),
    "spine3": (0.0, 0.085, -0.004),
    "l_foot": (0.107, -1.138, 0.095),
    "neck": (0.0, 0.285, -0.018),
    "l_collar": (0.075, 0.195, -0.015),
    "head": (0.0, 0.358, 0.008),
    "l_shoulder": (0.172, 0.216, -0.021),
    "l_elbow": (0.432, 0.211, -0.036),
    "l_wrist": (0.693, 0.2135, -0.041),
    "l_hand": (0.780, 0.2138, -0.041),
}


def joint_centres() -> FloatArray:
    """Centres of the joints at rest, (24, 3), m, exactly symmetric about x = 0."""
    centres = np.zeros((len(JOINT_NAMES), 3))
    for number, name in enumerate(JOINT_NAMES):
        side = -1.0 if name.startswith("r_") else 1.0
        x, y, z = _CENTRES[name if name in _CENTRES else "l" + name[1:]]
        centres[number] = (side * x, y, z)
    return centres


def kintree_table() -> NDArray[np.uint32]:
    """SMPL's table (2, 24): parents (2^32 - 1 for the root) and joint numbers."""
    parents = np.array(PARENTS, dtype=np.int64) % 2**32
    return np.stack([parents, np.arange(len(PARENTS))]).astype(np.uint32)


def mirror_joints(values: FloatArray) -> FloatArray:
    """Reflect per-joint vectors (24, 3, ...) in the plane x = 0."""
    swapped: FloatArray = values[list(MIRRORED_JOINTS)].copy()
    swapped[:, 0] = -swapped[:, 0]
    return swapped


def join_halves(half: FloatArray, faces: IntArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Make the whole body from its left half.

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
