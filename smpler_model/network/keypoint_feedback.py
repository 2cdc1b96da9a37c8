"""Offsets from the joints of the estimate so far to the keypoints that the backbone found.

An estimate from pooled features alone cannot tell how far its limbs are from those in the image.
A backbone that finds keypoints can: the blocks get the offsets to them, and optionally the
regressor of the first guess does as well.

Source of the idea: Song, Chen, Hilliges, "Human Body Model Fitting by Learned Gradient Descent",
ECCV 2020. Differs: the offsets are one input beside the image's features.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from smpler_model.network.config import MOBILE_KEYPOINTS
from smpler_model.network.limbs import LIMB_ROWS, LIMBS, Limb

FIRST_LIMB = MOBILE_KEYPOINTS - len(LIMB_ROWS)
"""The backbone's keypoints from this one on are those of the joints, in their order."""

FEEDBACK_SIZE = 3
"""Values for each joint: the offset in x and y, and the visibility."""

HIPS_SHARE = 0.7
"""How far apart SMPL's hips are against keypoints: people who label photos put those of the hips
farther out.
"""

_SCALE = 10.0  # offsets of a tenth of half the crop get the size of the other inputs
_FAR = 0.6  # half crop sides; how far a joint is beyond this does not matter


def read_observed(pooled: Tensor) -> Tensor:
    """Return the backbone's keypoints from the mean over pixels of its coarsest map.

    Args:
        pooled: (b, n) with the keypoints at the end, see `MobileLayout.channels`.

    Returns:
        (b, 12, 3) x and y of each joint of `LIMB_ROWS`, where the crop spans [-1, 1], and
        the visibility, 0 to 1.
    """
    keypoints = pooled[:, -FEEDBACK_SIZE * MOBILE_KEYPOINTS :].reshape(-1, MOBILE_KEYPOINTS, 3)
    return keypoints[:, FIRST_LIMB:]


def take_observed(observed: Tensor, limbs: Sequence[Limb]) -> Tensor:
    """Return the keypoints of limbs, left before right, (b, 2 limbs, 3) of (b, 12, 3)."""
    rows = (2 * LIMBS.index(limb) for limb in limbs)
    return torch.cat([observed[:, row : row + 2] for row in rows], 1)


def compare_observed(observed: Tensor, keypoints: Tensor) -> Tensor:
    """Return the offsets from an estimate's joints to the backbone's keypoints.

    Args:
        observed: (b, 12, 3) from `read_observed`.
        keypoints: (b, 12, 2) the estimate's joints of `LIMB_ROWS` in the crop, see `take_limbs`.

    Returns:
        (b, 12, 3) offset in x and y, in tenths of half the crop's side, and the visibility.
    """
    offsets = observed[..., :2] - keypoints
    return torch.cat((_SCALE * offsets.clamp(-_FAR, _FAR), observed[..., 2:]), -1)
