"""Turns the limbs of an estimate towards the keypoints that the backbone found.

Regression places the torso well, but limbs less and less accurately towards their ends. Keypoints
are found independently of each other, the ends of limbs as accurately as the rest. So each bone,
from the torso outwards, is turned towards the keypoint at its end, see `bone_turning`.
"""

import torch
from torch import Tensor

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.network.bone_turning import BoneTurning, bend_bones
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import smallest_rotation
from smpler_model.network.keypoint_feedback import take_observed
from smpler_model.network.limbs import COLLARS, Limb, put_limbs, take_limbs

_ROOTS: tuple[Limb, ...] = ("shoulder", "hip")
_MIDDLES: tuple[Limb, ...] = ("elbow", "knee")
_ENDS: tuple[Limb, ...] = ("wrist", "ankle")
_MOVED = (*_MIDDLES, *_ENDS)
_PELVIS = slice(SMPL_JOINTS.index("pelvis"), SMPL_JOINTS.index("pelvis") + 1)


class LimbAlignment(BoneTurning):
    """Turns upper arms, forearms, thighs and shins towards the keypoints at their ends."""

    def __init__(self, width: int) -> None:
        """Create it for queries with a number of channels."""
        super().__init__(len(_MOVED), width, of_kind=2)

    def forward(self, stage: Stage, queries: Tensor, observed: Tensor, body: Body) -> Estimate:
        """Turn the limbs of an estimate.

        Args:
            stage: an estimate of b people with its joints.
            queries: (b, 26, c) those that gave it.
            observed: (b, 12, 3) the backbone's keypoints, see `keypoint_feedback.read_observed`.
            body: the body, for the rotations of its bones in space.

        Returns:
            The estimate with other rotations of shoulders, elbows, hips and knees. Hands and feet
            turn with their limbs.
        """
        turns = body.chain(stage.rotations, stage.betas)[..., :3, :3]  # (b, 24, 3, 3)
        seen = take_observed(observed, _MOVED)
        # (b, 4, ...) left and right, arms and legs: shoulders and hips, and what follows them
        trusts = torch.split(self.weigh(take_limbs(queries, _MOVED), seen[..., 2:]), 4, 1)
        places = torch.split(_place(seen, stage), 4, 1)
        roots, middles, ends = (take_limbs(stage.joints, e) for e in (_ROOTS, _MIDDLES, _ENDS))
        upper, lower = middles - roots, ends - middles
        new_upper = bend_bones(upper, places[0] - roots[..., :2], trusts[0])
        new_lower = bend_bones(lower, places[1] - (roots + new_upper)[..., :2], trusts[1])
        before, after = torch.cat((upper, lower), 1), torch.cat((new_upper, new_lower), 1)
        turned = smallest_rotation(before, after) @ take_limbs(turns, (*_ROOTS, *_MIDDLES))
        pelvis = turns[:, _PELVIS]
        # Of shoulders, hips, and elbows and knees.
        parents = torch.cat((turns[:, COLLARS], pelvis, pelvis, turned[:, :4]), 1)
        pairs = torch.split(parents.transpose(-1, -2) @ turned, 2, 1)
        changed = dict(zip((*_ROOTS, *_MIDDLES), pairs, strict=True))
        return Estimate(put_limbs(stage.rotations, changed), stage.betas, stage.camera)


def _place(seen: Tensor, stage: Stage) -> Tensor:
    """Return where keypoints are at the scale and in the place of the joints, (b, 8, 2) metres."""
    scale, translation = stage.camera[:, None, :1], stage.camera[:, None, 1:]
    return seen[..., :2] / scale - translation
