"""Bones: rotations relative to their parents and in the body's frame, and distances from rays."""

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_PARENTS

_PARENTS = np.array(SMPL_PARENTS)
_SHORTEST_M2 = 1e-12


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


def nearest_to_rays(rays: Floats, starts_m: Floats, ends_m: Floats) -> tuple[Floats, Floats]:
    """Return where segments come closest to rays from the camera.

    Args:
        rays: (p, k, 3) unit vectors.
        starts_m: (p, b, 3) ends of the segments.
        ends_m: (p, b, 3) their other ends.

    Returns:
        The distance (p, k, b) of that point from the ray, and its distance along the ray, metres.
    """
    bones = ends_m - starts_m
    start_along = rays @ starts_m.swapaxes(1, 2)  # (p, k, b), as everything below
    bone_along = rays @ bones.swapaxes(1, 2)
    # Products of the parts across the ray.
    start2 = (starts_m**2).sum(-1)[:, None] - start_along**2
    mixed = (starts_m * bones).sum(-1)[:, None] - start_along * bone_along
    bone2 = (bones**2).sum(-1)[:, None] - bone_along**2
    share = np.clip(-mixed / np.maximum(bone2, _SHORTEST_M2), 0, 1)
    across2 = start2 + share * (2 * mixed + share * bone2)
    return np.sqrt(np.maximum(across2, 0)), start_along + share * bone_along
