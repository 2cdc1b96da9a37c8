"""Rotations of bones: against their parents, and in the frame of the whole body."""

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_PARENTS

_PARENTS = np.array(SMPL_PARENTS)


def chain(rotations: Floats) -> Floats:
    """Return (n, 24, 3, 3) `frame_from_joint` from `parent_from_joint` rotations."""
    bones = rotations.copy()
    for joint, parent in enumerate(SMPL_PARENTS):
        if parent >= 0:
            bones[:, joint] = bones[:, parent] @ rotations[:, joint]
    return bones


def unchain(bones: Floats) -> Floats:
    """Return (n, 24, 3, 3) `parent_from_joint` rotations; the inverse of `chain`."""
    rotations = bones.copy()
    rotations[:, 1:] = bones[:, _PARENTS[1:]].swapaxes(-1, -2) @ bones[:, 1:]
    return rotations
