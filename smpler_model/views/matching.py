"""Matches the people of several views, by how well their joints can be triangulated."""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import MIRRORED_JOINTS
from smpler_model.views.facing import facings_of, find_opposed
from smpler_model.views.sightings import LEAST_CONFIDENCE, Sightings
from smpler_model.views.triangulation import triangulate

FARTHEST = 9.0
"""Cost above which two views do not show the same person."""

REVERSAL = 4.0
"""Cost of one of two views showing a person back to front, as for one person in seven."""


def match_views(costs: Floats) -> list[list[int]]:
    """Group sightings of the same person.

    Pairs are joined in the order of their costs, unless a group would have two people of one view
    or a pair with a cost above `FARTHEST`.

    Args:
        costs: (n, n) of two sightings being the same person, infinite within a view, see
            `pair_costs`; of one moment, or means over time.

    Returns:
        The rows of each group, at most one of each view; every sighting is in a group.
    """
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
    as a person who is hardly seen agrees with anybody. The skeletons' errors are those of few
    independent joints, which is why their mean counts. One of two who face opposite ways may be
    shown back to front, which costs `REVERSAL`.

    Args:
        views: (n) index of the view of each sighting.
        people: n sightings in all views.
    """
    costs = np.full((len(views), len(views)), np.inf)
    pairs = np.stack(np.nonzero(views[:, None] < views))  # (2, p)
    if not pairs.size:
        return costs
    joints_m = people.joints_m[pairs]
    found = _disagreements(people, pairs, joints_m)
    facings = facings_of(people.bones)[pairs]
    rays = joints_m[:, :, 0] - people.cameras_m[pairs]
    opposite = find_opposed(facings, facings[::-1], rays).any(0)
    if opposite.any():
        turned = joints_m[:, opposite]
        turned[1] = turned[1][:, MIRRORED_JOINTS]
        reversal = REVERSAL + _disagreements(people, pairs[:, opposite], turned)
        found[opposite] = np.minimum(found[opposite], reversal)
    found += -np.log(people.trusts)[pairs].sum(0)
    costs[pairs[0], pairs[1]] = costs[pairs[1], pairs[0]] = found
    return costs


def _disagreements(people: Sightings, pairs: NDArray[np.intp], joints_m: Floats) -> Floats:
    """Return how badly the joints (2, p, 24, 3) of pairs of people (2, p) agree, (p)."""
    sure = np.maximum(people.confidences, LEAST_CONFIDENCE)[pairs]
    triangulated = triangulate(
        joints_m, people.cameras_m[pairs], sure, people.spreads[pairs], rounds=1
    )
    return triangulated.shifts + triangulated.misfits
