"""Turns pelvis and chest of an estimate towards the keypoints that the backbone found.

Hips and shoulders are close to each other in the image, so a pelvis that is turned to the wrong
side costs little there, and a regression confuses people seen from behind at an angle. Keypoints
show which of the two hips is the left one. So the lines from right to left hip and shoulder are
turned towards those keypoints, see `bone_turning`.
"""

import torch
from torch import Tensor, nn

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.network.bone_turning import BoneTurning, bend_bones
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import smallest_rotation
from smpler_model.network.keypoint_feedback import HIPS_SHARE, take_observed
from smpler_model.network.limbs import COLLARS, Limb, put_rows, take_limbs

_LINES: tuple[Limb, ...] = ("hip", "shoulder")

_SHARES = ((HIPS_SHARE,), (1.0,))
"""Before training, how long each line is against that between its keypoints."""

_PELVIS, _BELOW_CHEST, _CHEST, _NECK = (
    SMPL_JOINTS.index(name) for name in ("pelvis", "spine2", "spine3", "neck")
)
# Joints that follow one another in SMPL's order, and slices of all rows for them.
_ON_PELVIS = slice(SMPL_JOINTS.index("left_hip"), SMPL_JOINTS.index("spine1") + 1)
_SHOULDERS = slice(SMPL_JOINTS.index("left_shoulder"), SMPL_JOINTS.index("right_shoulder") + 1)


class TrunkAlignment(BoneTurning):
    """Turns pelvis and chest towards the keypoints of hips and shoulders."""

    def __init__(self, width: int) -> None:
        """Create it for queries with a number of channels."""
        super().__init__(len(_LINES), width)
        self.shares = nn.Parameter(torch.tensor(_SHARES))

    def forward(self, stage: Stage, queries: Tensor, observed: Tensor, body: Body) -> Estimate:
        """Turn the trunk of an estimate.

        Args:
            stage: an estimate of b people with its joints.
            queries: (b, 26, c) those that gave it.
            observed: (b, 12, 3) the backbone's keypoints, see `keypoint_feedback.read_observed`.
            body: the body, for the rotations of its bones in space.

        Returns:
            The estimate with another pelvis, and another chest with its collarbones. Head, limbs
            and the rest of the spine keep their rotations in space.
        """
        turns = body.chain(stage.rotations, stage.betas)[..., :3, :3]  # (b, 24, 3, 3)
        seen = take_observed(observed, _LINES)
        lines = _from_right_to_left(take_limbs(stage.joints, _LINES))
        places = _from_right_to_left(seen[..., :2]) * self.shares / stage.camera[:, None, :1]
        trust = self.weigh(_mean_of_sides(take_limbs(queries, _LINES)), _least_visible(seen))
        of_pelvis, of_chest = smallest_rotation(lines, bend_bones(lines, places, trust)).unbind(1)
        return Estimate(
            _turn(stage.rotations, turns, of_pelvis, of_chest), stage.betas, stage.camera
        )


def _sides(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return those of left and right joints, (b, 2, n) each, of (b, 4, n)."""
    return values[:, ::2], values[:, 1::2]


def _from_right_to_left(points: Tensor) -> Tensor:
    """Return the vectors (b, 2, n) of the lines of hips and of shoulders from (b, 4, n) points."""
    left, right = _sides(points)
    return left - right


def _mean_of_sides(queries: Tensor) -> Tensor:
    left, right = _sides(queries)
    return (left + right) / 2


def _least_visible(seen: Tensor) -> Tensor:
    """Return the visibility (b, 2, 1) of both keypoints of each line from (b, 4, 3)."""
    return torch.minimum(*_sides(seen[..., 2:]))


def _turn(rotations: Tensor, turns: Tensor, of_pelvis: Tensor, of_chest: Tensor) -> Tensor:
    """Turn pelvis and chest in space; joints attached to them keep their rotation in space.

    Args:
        rotations: (b, 24, 3, 3) of joints relative to their parents.
        turns: (b, 24, 3, 3) of joints in space.
        of_pelvis: (b, 3, 3) in space.
        of_chest: (b, 3, 3) in space; the collarbones turn with the chest.

    Returns:
        (b, 24, 3, 3) relative to their parents.
    """
    pelvis = of_pelvis @ turns[:, _PELVIS]
    chest = of_chest @ turns[:, _CHEST]
    collars = of_chest[:, None] @ turns[:, COLLARS]
    changed = (
        (slice(_PELVIS, _PELVIS + 1), pelvis[:, None]),
        (_ON_PELVIS, _seen_from(pelvis[:, None], turns[:, _ON_PELVIS])),
        (slice(_CHEST, _CHEST + 1), _seen_from(turns[:, _BELOW_CHEST], chest)[:, None]),
        (slice(_NECK, _NECK + 1), _seen_from(chest, turns[:, _NECK])[:, None]),
        (_SHOULDERS, _seen_from(collars, turns[:, _SHOULDERS])),
    )
    return put_rows(rotations, changed)


def _seen_from(parent: Tensor, child: Tensor) -> Tensor:
    """Return a child's rotation relative to its parent, both (..., 3, 3) in space."""
    return parent.transpose(-1, -2) @ child
