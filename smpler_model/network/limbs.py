"""The joints of the limbs as slices of all joints.

SMPL numbers left and right joints one after the other, so each pair is a slice. Lists of rows
would be copied to the device in every call, which takes time and which CUDA graphs do not allow.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from smpler_model.body.skeleton import SMPL_JOINTS

Limb = Literal["shoulder", "elbow", "wrist", "hip", "knee", "ankle"]

LIMBS: tuple[Limb, ...] = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")

_STARTS = {limb: SMPL_JOINTS.index(f"left_{limb}") for limb in LIMBS}
_ENDS = {limb: SMPL_JOINTS.index(f"right_{limb}") + 1 for limb in LIMBS}


def joints_of(limbs: Sequence[Limb]) -> tuple[int, ...]:
    """Return the rows of limbs, left before right."""
    return tuple(row for limb in limbs for row in range(_STARTS[limb], _ENDS[limb]))


COLLARS = slice(SMPL_JOINTS.index("left_collar"), SMPL_JOINTS.index("right_collar") + 1)
"""The rows of the collarbones, on which the shoulders are."""

LIMB_ROWS = joints_of(LIMBS)
"""The rows of the limbs' joints: left and right shoulder, left and right elbow, ..."""


def take_limbs(values: Tensor, limbs: Sequence[Limb] = LIMBS) -> Tensor:
    """Return the rows of limbs, left before right, (b, 2 limbs, ...) of (b, 24, ...)."""
    return torch.cat([values[:, _STARTS[limb] : _ENDS[limb]] for limb in limbs], 1)


def put_rows(values: Tensor, changed: Sequence[tuple[slice, Tensor]]) -> Tensor:
    """Return (b, n, ...) values with some rows replaced.

    Args:
        values: (b, n, ...).
        changed: slices of k rows and what replaces them, (b, k, ...), in the order of the rows.
    """
    parts, done = [], 0
    for rows, new in changed:
        if rows.start > done:
            parts.append(values[:, done : rows.start])
        parts.append(new)
        done = rows.stop
    return torch.cat([*parts, values[:, done:]], 1)


def put_limbs(values: Tensor, limbs: Mapping[Limb, Tensor]) -> Tensor:
    """Return (b, n, ...) values with the rows of some limbs replaced by (b, 2, ...)."""
    ordered = sorted(limbs, key=_STARTS.__getitem__)
    return put_rows(values, [(slice(_STARTS[e], _ENDS[e]), limbs[e]) for e in ordered])


def add_to_limbs(values: Tensor, more: Tensor) -> Tensor:
    """Return (b, n, c) values with (b, 12, c) added to the rows of `LIMB_ROWS`."""
    pairs = zip(LIMBS, torch.split(more, 2, 1), strict=True)
    return put_limbs(values, {limb: take_limbs(values, [limb]) + pair for limb, pair in pairs})
