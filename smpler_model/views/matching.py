"""Which people of several views are one and the same: by where their joints' rays cross."""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.views.crossing import cross_rays
from smpler_model.views.sightings import LEAST_CONFIDENCE, Sightings

FARTHEST = 9.0
"""Cost above which two views do not show the same person."""


def match_views(views: NDArray[np.intp], people: Sightings) -> list[list[int]]:
    """Group sightings of the same person.

    Pairs are joined in the order of their costs, unless a group would have two people of one view
    or a pair with a cost above `FARTHEST`.

    Args:
        views: (n) index of the view of each sighting.
        people: n sightings in all views.

    Returns:
        The rows of each group, at most one of each view; everybody is in one group.
    """
    costs = pair_costs(views, people)
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


def pair_costs(views: NDArray[np.intp], people: Sightings) -> Floats:
    """Return the costs (n, n) of two sightings being the same person; infinite within a view.

    Roughly twice the negative logarithm of how likely both are: how far both must be moved along
    their rays, in standard deviations, how badly their joints then agree, and how unsure they are,
    as what is hardly seen agrees with everybody. The skeletons' errors are those of few
    independent joints, which is why their mean counts.

    Args:
        views: (n) index of the view of each sighting.
        people: n sightings in all views.
    """
    costs = np.full((len(views), len(views)), np.inf)
    pairs = np.stack(np.nonzero(views[:, None] < views))  # (2, p)
    if not pairs.size:
        return costs
    sure = np.maximum(people.confidences, LEAST_CONFIDENCE)[pairs]
    crossing = cross_rays(
        people.joints_m[pairs], people.cameras_m[pairs], sure, people.spreads[pairs], rounds=1
    )
    doubts = -np.log(people.trusts)[pairs].sum(0)
    found = crossing.shifts + crossing.misfits + doubts
    costs[pairs[0], pairs[1]] = costs[pairs[1], pairs[0]] = found
    return costs
