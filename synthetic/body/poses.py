"""Ten everyday poses, to look at the built-in body and to test its skinning."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from synthetic.body.primitives import FloatArray
from synthetic.body.skeleton import JOINT_NAMES

Degrees = tuple[float, float, float]

_ARMS_DOWN: dict[str, Degrees] = {
    "l_collar": (0, 0, -8), "r_collar": (0, 0, 8),
    "l_shoulder": (0, 0, -66), "r_shoulder": (0, 0, 66),
    "l_elbow": (0, -12, 0), "r_elbow": (0, 12, 0),
}  # fmt: skip

# Rotation vectors in degrees about x (to the left), y (up) and z (to the front) of the parent.
POSES: dict[str, dict[str, Degrees]] = {
    "standing": _ARMS_DOWN,
    "walking": {
        **_ARMS_DOWN,
        "l_hip": (-32, 0, 0), "l_knee": (14, 0, 0), "l_ankle": (-8, 0, 0),
        "r_hip": (20, 0, 0), "r_knee": (38, 0, 0), "r_ankle": (12, 0, 0), "r_foot": (-20, 0, 0),
        "l_shoulder": (26, 0, -62), "r_shoulder": (-26, 0, 62),
        "l_elbow": (0, -22, 0), "r_elbow": (0, 34, 0), "spine2": (0, 6, 0),
    },
    "sitting": {
        **_ARMS_DOWN,
        "l_hip": (-84, -8, 0), "r_hip": (-84, 8, 0), "l_knee": (86, 0, 0), "r_knee": (86, 0, 0),
        "l_shoulder": (-22, -8, -64), "r_shoulder": (-22, 8, 64),
        "l_elbow": (0, -58, 0), "r_elbow": (0, 58, 0),
    },
    "arms up": {
        "l_collar": (0, 0, 24), "r_collar": (0, 0, -24),
        "l_shoulder": (0, 0, 52), "r_shoulder": (0, 0, -52),
        "l_elbow": (0, 0, 10), "r_elbow": (0, 0, -10),
    },
    "squatting": {
        "l_hip": (-108, -24, 0), "r_hip": (-108, 24, 0),
        "l_knee": (116, 0, 0), "r_knee": (116, 0, 0), "l_ankle": (-26, 0, 0),
        "r_ankle": (-26, 0, 0), "pelvis": (24, 0, 0), "spine1": (14, 0, 0),
        "l_shoulder": (0, -74, -10), "r_shoulder": (0, 74, 10),
    },
    "waving": {
        **_ARMS_DOWN,
        "r_collar": (0, 0, -14), "r_shoulder": (0, 0, -12), "r_elbow": (0, 0, -82),
        "r_wrist": (0, 0, 14), "head": (0, -14, 6),
    },
    "reaching": {
        **_ARMS_DOWN,
        "l_collar": (0, -12, 0), "l_shoulder": (0, -72, 8), "l_elbow": (0, -8, 0),
        "spine1": (12, -8, 0), "spine2": (8, -10, 0), "r_hip": (12, 0, 0), "l_hip": (-18, 0, 0),
    },
    "turning": {
        **_ARMS_DOWN,
        "spine1": (0, 14, 0), "spine2": (0, 14, 0), "spine3": (0, 12, 0), "neck": (0, 18, 0),
        "head": (0, 24, 0), "l_elbow": (0, -46, 0), "r_elbow": (0, 46, 0),
    },
    "hands on hips": {
        "l_collar": (0, 0, -6), "r_collar": (0, 0, 6),
        "l_shoulder": (28, 18, -46), "r_shoulder": (28, -18, 46),
        "l_elbow": (0, -18, -88), "r_elbow": (0, 18, 88),
        "l_hip": (0, 0, 8), "r_hip": (0, 0, -8),
    },
    "kicking": {
        **_ARMS_DOWN,
        "r_hip": (-72, 0, 0), "r_knee": (24, 0, 0), "r_ankle": (24, 0, 0),
        "l_knee": (10, 0, 0), "pelvis": (-12, 0, 0), "l_shoulder": (-30, 0, -40),
        "r_shoulder": (30, 0, 40), "spine2": (12, 0, 0),
    },
}  # fmt: skip


def pose_rotations(name: str) -> FloatArray:
    """Rotation matrices (24, 3, 3) of a pose in `POSES`, each relative to the parent."""
    vectors = np.zeros((len(JOINT_NAMES), 3))
    for joint, degrees in POSES[name].items():
        vectors[JOINT_NAMES.index(joint)] = np.radians(degrees)
    matrices: FloatArray = Rotation.from_rotvec(vectors).as_matrix()
    return matrices
