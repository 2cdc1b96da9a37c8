"""Turns bones of an estimate towards the keypoints that the backbone found.

Keypoints tell where a bone lies across the camera's axis, not its depth. So a bone becomes the one
of the same length that agrees best with both: with its keypoints across the axis, and with the
estimate in all directions. How much the keypoints count is learned.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smpler_model.network.geometry import unit

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


class BoneTurning(nn.Module):
    """Decides how much keypoints count, from queries and visibility."""

    def __init__(self, kinds: int, width: int, *, of_kind: int = 1) -> None:
        """Create it for queries with a number of channels.

        Args:
            kinds: number of kinds of bones, each with a trust of its own.
            width: channels c of queries.
            of_kind: number of bones of each kind.
        """
        super().__init__()
        self._of_kind = of_kind
        self.of_query = nn.Parameter(torch.zeros(kinds, width))
        self.of_visibility = nn.Parameter(torch.full((kinds, 1), _POWER))
        self.constant = nn.Parameter(torch.full((kinds, 1), _TRUST))

    def weigh(self, queries: Tensor, visibility: Tensor) -> Tensor:
        """Return how much the keypoints count against the estimate, (b, n, 1).

        Args:
            queries: (b, n, c), kind after kind.
            visibility: (b, n, 1) of the keypoints, 0 to 1.
        """
        (kinds, c), of_kind = self.of_query.shape, self._of_kind
        queries = queries.reshape(-1, kinds, of_kind, c)
        from_query = (queries * self.of_query[:, None]).sum(-1, keepdim=True)
        visible = visibility.reshape(-1, kinds, of_kind, 1).clamp(_LEAST_VISIBLE, 1)
        from_visibility = self.of_visibility[:, None] * visible.log()
        logarithm = from_query + from_visibility + self.constant[:, None]
        return logarithm.clamp(max=_MOST_TRUST).exp().reshape(-1, kinds * of_kind, 1)


def bend_bones(bones: Tensor, places: Tensor, trust: Tensor) -> Tensor:
    """Return bones x of the same lengths that agree best with given end points.

    Of all x as long as the bone b, that with the least trust |x - p|^2 across the camera's axis
    plus |x - b|^2. Lagrange's multiplier m makes x the sum of both over trust + m, and along the
    axis b over m; Newton's method finds where 1 / |x| = 1 / |b|, which is nearly linear.

    Args:
        bones: (b, n, 3) from joint to joint.
        places: (b, n, 2) x and y of the given ends, relative to the bones' starts.
        trust: (b, n, 1) positive.
    """
    lengths: Tensor = bones.norm(dim=-1, keepdim=True)
    bones, places = bones / lengths, places / lengths
    across, depths = trust * places + bones[..., :2], bones[..., 2:]
    far, deep = across.norm(dim=-1, keepdim=True), depths.abs()
    # Where one of the two parts alone has the bone's length, the multiplier is not larger.
    multiplier = torch.maximum(far - trust, deep).clamp(min=1 / _MOST_DEPTH)
    # (b, n, 2) both parts, and what the multiplier is added to: the trust across, nothing along.
    parts, trusts = torch.cat((far, deep), -1), F.pad(trust, (0, 1))
    for _ in range(_STEPS):
        divisors = trusts + multiplier
        squares = (parts / divisors).square()
        square = squares.sum(-1, keepdim=True)
        half_descent = (squares / divisors).sum(-1, keepdim=True)  # minus half the slope
        multiplier = multiplier + square * (square.sqrt() - 1) / half_descent
        multiplier = multiplier.clamp(min=1 / _MOST_DEPTH)
    return lengths * unit(torch.cat((across / (trust + multiplier), depths / multiplier), -1))
