"""Which people of several views are one and the same: by position and shape of the skeleton."""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats

FARTHEST = 5.0
"""Cost, in standard deviations, above which two views do not show the same person."""

SKELETON_SPREAD_M = 0.25
"""Usual mean distance of the joints of one person in two views, the pelvises aligned."""

POSITION_SPREAD_M = 0.15
"""Standard deviation of how far apart two views see one pelvis across their rays."""

DISTANCE_SPREAD = 0.1
"""The same along a ray, as a share of the distance: a wrong pose or size moves a person along it.
What tells people apart is mainly where rays meet.
"""


def match_views(
    views: NDArray[np.intp], joints_m: Floats, covariances_m2: Floats, rays_m: Floats
) -> list[list[int]]:
    """Group sightings of the same person, n in all views.

    Pairs are joined in the order of their costs, unless a group would have two people of one view
    or a pair with a cost above `FARTHEST`.

    Args:
        views: (n) index of the view of each sighting.
        joints_m: (n, 24, 3) in a common frame.
        covariances_m2: (n, 3, 3) covariances of the positions.
        rays_m: (n, 3) from the cameras to the pelvises.

    Returns:
        The rows of each group, at most one of each view; everybody is in one group.
    """
    costs = pair_costs(views, joints_m, covariances_m2, rays_m)
    groups = {row: [row] for row in range(len(costs))}
    owners = list(range(len(costs)))
    first, second = np.nonzero(np.triu(costs <= FARTHEST, 1))
    for pair in np.argsort(costs[first, second], kind="stable").tolist():
        a, b = owners[first[pair]], owners[second[pair]]
        if a == b or (costs[np.ix_(groups[a], groups[b])] > FARTHEST).any():
            continue
        for row in groups[b]:
            owners[row] = a
        groups[a] += groups.pop(b)
    return [sorted(group) for group in groups.values()]


def pair_costs(
    views: NDArray[np.intp], joints_m: Floats, covariances_m2: Floats, rays_m: Floats
) -> Floats:
    """Return the costs (n, n) of two sightings being the same person, in standard deviations.

    The root of the squared Mahalanobis distance of the pelvises plus that of the skeletons about
    them; infinite within a view. Arguments as for `match_views`.
    """
    pelvises = joints_m[:, 0]
    apart = pelvises[:, None] - pelvises  # (n, n, 3)
    along = DISTANCE_SPREAD**2 * rays_m[:, :, None] * rays_m[:, None, :]
    spread = covariances_m2 + along + POSITION_SPREAD_M**2 / 2 * np.eye(3)
    both = spread[:, None] + spread
    distances2 = (apart * np.linalg.solve(both, apart[..., None])[..., 0]).sum(-1)
    shapes = joints_m - pelvises[:, None]
    unlike = np.linalg.norm(shapes[:, None] - shapes, axis=-1).mean(-1)
    costs = np.sqrt(distances2 + (unlike / SKELETON_SPREAD_M) ** 2)
    return np.where(views[:, None] == views, np.inf, costs)
