"""Which way each bone of an estimate would have to turn to reach the backbone's keypoints.

An offset in the image says where a joint should be, not which rotation takes it there: that also
depends on the rotations of all joints above. So the blocks get the rotation itself, to first
order, in the axes of the joint that they correct.

Source of the idea: Song, Chen, Hilliges, "Human Body Model Fitting by Learned Gradient Descent",
ECCV 2020. Differs: each bone's own error, divided by its squared length, instead of the gradient
of the sum of all errors.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Stage
from smpler_model.network.keypoint_feedback import HIPS_SHARE, take_observed
from smpler_model.network.limbs import Limb, joints_of, put_limbs, put_rows, take_limbs

TURN_SIZE = 10
"""Values for each bone: the turn, the turn times the visibility, the camera's axis, and the
visibility.
"""

_STARTS: tuple[Limb, ...] = ("shoulder", "elbow", "hip", "knee")
_ENDS: tuple[Limb, ...] = ("elbow", "wrist", "knee", "ankle")
_ACROSS: tuple[Limb, ...] = ("hip", "shoulder")

_PELVIS, _CHEST = (
    slice(SMPL_JOINTS.index(name), SMPL_JOINTS.index(name) + 1) for name in ("pelvis", "spine3")
)
TURNED_ROWS = (_PELVIS.start, _CHEST.start, *joints_of(_STARTS))
"""The rows of the joints that get feedback, in the order of `find_turns`."""

_LONGEST_TURN = 1.5  # in radians, each component; beyond it, first order means little
_SHORTEST = 1e-4  # squared metres, added to squared lengths


def find_turns(stage: Stage, observed: Tensor, body: Body) -> Tensor:
    """Return the turns of pelvis, chest and limbs towards the keypoints.

    Args:
        stage: an estimate of b people with its joints.
        observed: (b, 12, 3) the backbone's keypoints, see `keypoint_feedback.read_observed`.
        body: the body, for the rotations of its bones in space.

    Returns:
        (b, 10, 10) for pelvis, chest, and left and right shoulder, elbow, hip and knee: a rotation
        vector in radians in the joint's own axes, the same times the visibility, the camera's
        viewing axis in the joint's axes, and the visibility, 0 to 1, of the less visible keypoint.
    """
    frames = body.chain(stage.rotations, stage.betas)[..., :3, :3]  # (b, 24, 3, 3)
    frames = torch.cat((frames[:, _PELVIS], frames[:, _CHEST], take_limbs(frames, _STARTS)), 1)
    bones = torch.sub(*_find_ends(stage.joints, take_limbs))  # (b, 10, 3)
    ends, starts = _find_ends(observed, take_observed)
    seen = ends[..., :2] - starts[..., :2]
    wanted = torch.cat((HIPS_SHARE * seen[:, :1], seen[:, 1:]), 1) / stage.camera[:, None, :1]
    miss = F.pad(wanted - bones[..., :2], (0, 1))
    square = bones.square().sum(-1, keepdim=True) + _SHORTEST
    turns = (torch.linalg.cross(bones, miss) / square).clamp(-_LONGEST_TURN, _LONGEST_TURN)
    own = (turns[..., None, :] @ frames).squeeze(-2)  # the frames transposed, times the turns
    visible = torch.minimum(ends[..., 2:], starts[..., 2:])
    return torch.cat((own, own * visible, frames[..., 2, :], visible), -1)


def add_to_turned(values: Tensor, more: Tensor) -> Tensor:
    """Return (b, n, c) values with (b, 10, c), in the order of `find_turns`, added to theirs."""
    pelvis, chest, *pairs = torch.split(more, [1, 1, 2, 2, 2, 2], 1)
    trunk = [(rows, values[:, rows] + each) for rows, each in ((_PELVIS, pelvis), (_CHEST, chest))]
    limbs = {e: take_limbs(values, [e]) + pair for e, pair in zip(_STARTS, pairs, strict=True)}
    return put_limbs(put_rows(values, trunk), limbs)


def _find_ends(
    points: Tensor, take: Callable[[Tensor, Sequence[Limb]], Tensor]
) -> tuple[Tensor, Tensor]:
    """Return where bones end and start, (b, 10, n) each, the pelvis's and the chest's sideways."""
    across = take(points, _ACROSS)  # left and right hip, left and right shoulder
    ends = torch.cat((across[:, ::2], take(points, _ENDS)), 1)
    starts = torch.cat((across[:, 1::2], take(points, _STARTS)), 1)
    return ends, starts
