"""Ten everyday poses, for viewing the built-in body and testing its skinning."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS

Degrees = tuple[float, float, float]

_ARMS_DOWN: dict[str, Degrees] = {
    "left_collar": (0, 0, -8), "right_collar": (0, 0, 8),
    "left_shoulder": (0, 0, -66), "right_shoulder": (0, 0, 66),
    "left_elbow": (0, -12, 0), "right_elbow": (0, 12, 0),
}  # fmt: skip

# Rotation vectors in degrees about x (to the left), y (up) and z (to the front) of the parent.
POSES: dict[str, dict[str, Degrees]] = {
    "standing": _ARMS_DOWN,
    "walking": {
        **_ARMS_DOWN,
        "left_hip": (-32, 0, 0), "left_knee": (14, 0, 0), "left_ankle": (-8, 0, 0),
        "right_hip": (20, 0, 0), "right_knee": (38, 0, 0), "right_ankle": (12, 0, 0),
        "right_foot": (-20, 0, 0),
        "left_shoulder": (26, 0, -62), "right_shoulder": (-26, 0, 62),
        "left_elbow": (0, -22, 0), "right_elbow": (0, 34, 0), "spine2": (0, 6, 0),
    },
    "sitting": {
        **_ARMS_DOWN,
        "left_hip": (-84, -8, 0), "right_hip": (-84, 8, 0),
        "left_knee": (86, 0, 0), "right_knee": (86, 0, 0),
        "left_shoulder": (-22, -8, -64), "right_shoulder": (-22, 8, 64),
        "left_elbow": (0, -58, 0), "right_elbow": (0, 58, 0),
    },
    "arms up": {
        "left_collar": (0, 0, 24), "right_collar": (0, 0, -24),
        "left_shoulder": (0, 0, 52), "right_shoulder": (0, 0, -52),
        "left_elbow": (0, 0, 10), "right_elbow": (0, 0, -10),
    },
    "squatting": {
        "left_hip": (-108, -24, 0), "right_hip": (-108, 24, 0),
        "left_knee": (116, 0, 0), "right_knee": (116, 0, 0), "left_ankle": (-26, 0, 0),
        "right_ankle": (-26, 0, 0), "pelvis": (24, 0, 0), "spine1": (14, 0, 0),
        "left_shoulder": (0, -74, -10), "right_shoulder": (0, 74, 10),
    },
    "waving": {
        **_ARMS_DOWN,
        "right_collar": (0, 0, -14), "right_shoulder": (0, 0, -12), "right_elbow": (0, 0, -82),
        "right_wrist": (0, 0, 14), "head": (0, -14, 6),
    },
    "reaching": {
        **_ARMS_DOWN,
        "left_collar": (0, -12, 0), "left_shoulder": (0, -72, 8), "left_elbow": (0, -8, 0),
        "spine1": (12, -8, 0), "spine2": (8, -10, 0), "right_hip": (12, 0, 0),
        "left_hip": (-18, 0, 0),
    },
    "turning": {
        **_ARMS_DOWN,
        "spine1": (0, 14, 0), "spine2": (0, 14, 0), "spine3": (0, 12, 0), "neck": (0, 18, 0),
        "head": (0, 24, 0), "left_elbow": (0, -46, 0), "right_elbow": (0, 46, 0),
    },
    "hands on hips": {
        "left_collar": (0, 0, -6), "right_collar": (0, 0, 6),
        "left_shoulder": (28, 18, -46), "right_shoulder": (28, -18, 46),
        "left_elbow": (0, -18, -88), "right_elbow": (0, 18, 88),
        "left_hip": (0, 0, 8), "right_hip": (0, 0, -8),
    },
    "kicking": {
        **_ARMS_DOWN,
        "right_hip": (-72, 0, 0), "right_knee": (24, 0, 0), "right_ankle": (24, 0, 0),
        "left_knee": (10, 0, 0), "pelvis": (-12, 0, 0), "left_shoulder": (-30, 0, -40),
        "right_shoulder": (30, 0, 40), "spine2": (12, 0, 0),
    },
}  # fmt: skip


def pose_rotations(name: str) -> Floats:
    """Return rotation matrices (24, 3, 3) of a pose in `POSES`, each relative to the parent."""
    vectors = np.zeros((len(SMPL_JOINTS), 3))
    for joint, degrees in POSES[name].items():
        vectors[SMPL_JOINTS.index(joint)] = np.radians(degrees)
    matrices: Floats = Rotation.from_rotvec(vectors).as_matrix()
    return matrices
