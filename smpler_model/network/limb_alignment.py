"""Turns the limbs of an estimate towards the keypoints that the backbone found.

A regression places the torso well, and limbs less and less well towards their ends; keypoints are
found each by itself, the ends of limbs as well as the rest. What they do not tell is depth. So
each bone, from the torso outwards, becomes the one of the same length that agrees best with both:
with the keypoint at its end, across the camera's axis, and with the estimate, in all directions.
How much the keypoint counts is learned, from the joint's query and the keypoint's visibility.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.body.skeleton import SMPL_PARENTS
from smpler_model.body.smpl import Body
from smpler_model.network.estimates import Estimate, Stage
from smpler_model.network.geometry import smallest_rotation
from smpler_model.network.keypoint_feedback import take_observed
from smpler_model.network.limbs import Limb, joints_of, put_limbs, take_limbs

_TRUST = 3.4
"""Before training, the logarithm of how much a visible keypoint counts against the estimate."""

_POWER = 4.0
"""Before training, the power of the visibility with which that falls."""

_MOST_TRUST = 6.0
"""Largest such logarithm, whatever was learned."""

_LEAST_VISIBLE = 1e-3
"""Visibility of invisible keypoints, which keeps its logarithm finite."""

_MOST_DEPTH = 3.0
"""How many times deeper a bone may get. One that lies in the image plane could turn towards the
camera or away from it; it stays there.
"""

_STEPS = 5
"""Of Newton's method, which has then converged for all but a few bones."""

_ROOTS: tuple[Limb, ...] = ("shoulder", "hip")
_MIDDLES: tuple[Limb, ...] = ("elbow", "knee")
_ENDS: tuple[Limb, ...] = ("wrist", "ankle")
_MOVED = (*_MIDDLES, *_ENDS)
_ABOVE = [SMPL_PARENTS[joint] for joint in joints_of(_ROOTS)]


class LimbAlignment(nn.Module):
    """Turns upper arms, forearms, thighs and shins towards the keypoints at their ends."""

    def __init__(self, width: int) -> None:
        """Create it for queries with a number of channels."""
        super().__init__()
        self.of_query = nn.Parameter(torch.zeros(len(_MOVED), width))
        self.of_visibility = nn.Parameter(torch.full((len(_MOVED), 1), _POWER))
        self.constant = nn.Parameter(torch.full((len(_MOVED), 1), _TRUST))

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
        trusts = torch.split(self.weigh(queries, seen), 4, 1)
        places = torch.split(_place(seen, stage), 4, 1)
        roots, middles, ends = (take_limbs(stage.joints, e) for e in (_ROOTS, _MIDDLES, _ENDS))
        upper, lower = middles - roots, ends - middles
        new_upper = bend_bones(upper, places[0] - roots[..., :2], trusts[0])
        new_lower = bend_bones(lower, places[1] - (roots + new_upper)[..., :2], trusts[1])
        root_turns = smallest_rotation(upper, new_upper) @ take_limbs(turns, _ROOTS)
        middle_turns = smallest_rotation(lower, new_lower) @ take_limbs(turns, _MIDDLES)
        above = torch.stack([turns[:, joint] for joint in _ABOVE], 1)
        turned = (
            above.transpose(-1, -2) @ root_turns,
            root_turns.transpose(-1, -2) @ middle_turns,
        )
        pairs = (pair for each in turned for pair in torch.split(each, 2, 1))
        changed = dict(zip((*_ROOTS, *_MIDDLES), pairs, strict=True))
        return Estimate(put_limbs(stage.rotations, changed), stage.betas, stage.camera)

    def weigh(self, queries: Tensor, seen: Tensor) -> Tensor:
        """Return how much each keypoint counts against the estimate, (b, 8, 1).

        Args:
            queries: (b, 26, c).
            seen: (b, 8, 3) keypoints of elbows, knees, wrists and ankles.
        """
        of_query, of_visibility, constant = (
            each.repeat_interleave(2, 0)
            for each in (self.of_query, self.of_visibility, self.constant)
        )
        from_query = (take_limbs(queries, _MOVED) * of_query).sum(-1, keepdim=True)
        visible = seen[..., 2:].clamp(_LEAST_VISIBLE, 1)
        logarithm = from_query + of_visibility * visible.log() + constant
        return logarithm.clamp(max=_MOST_TRUST).exp()


def bend_bones(bones: Tensor, places: Tensor, trust: Tensor) -> Tensor:
    """Return bones x of the same lengths that agree best with where they shall end.

    Of all x as long as the bone b, that with the least trust |x - p|^2 across the camera's axis
    plus |x - b|^2. Lagrange's multiplier m makes x the sum of both over trust + m, and along the
    axis b over m; Newton's method finds where 1 / |x| = 1 / |b|, which is nearly linear.

    Args:
        bones: (b, n, 3) from joint to joint.
        places: (b, n, 2) x and y where they shall end, against where they begin.
        trust: (b, n, 1) positive.
    """
    lengths = bones.norm(dim=-1, keepdim=True)
    bones, places = bones / lengths, places / lengths
    across, depths = trust * places + bones[..., :2], bones[..., 2:]
    far, deep = across.norm(dim=-1, keepdim=True), depths.abs()
    # Where one of the two parts alone has the bone's length, the multiplier is not larger.
    multiplier = torch.maximum(far - trust, deep).clamp(min=1 / _MOST_DEPTH)
    for _ in range(_STEPS):
        first, second = (far / (trust + multiplier)) ** 2, (deep / multiplier) ** 2
        square = first + second
        slope = -2 * (first / (trust + multiplier) + second / multiplier)
        multiplier = multiplier + 2 * square * (1 - square.sqrt()) / slope
        multiplier = multiplier.clamp(min=1 / _MOST_DEPTH)
    found = torch.cat((across / (trust + multiplier), depths / multiplier), -1)
    turned: Tensor = lengths * F.normalize(found, dim=-1)
    return turned


def _place(seen: Tensor, stage: Stage) -> Tensor:
    """Return where keypoints are at the scale and in the place of the joints, (b, 8, 2) metres."""
    scale, translation = stage.camera[:, None, :1], stage.camera[:, None, 1:]
    return seen[..., :2] / scale - translation
