"""Finds the views that show a person back to front: they are outvoted.

From a distance a person's front and back look alike. A network that takes one for the other
mirrors the body along the ray, and exchanges left and right: the mean of two such bodies resembles
neither. So views vote on how the person faces, weighted by their certainty; those whose body
agrees better with the winner when mirrored may have left and right exchanged, which the rays then
decide (see `fusion`).
"""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats

_FORWARD = 2  # SMPL's z axis points to where a body faces

_CLEARLY = 0.3  # by how much the cosine with the winner must grow


def facings_of(bones: Floats) -> Floats:
    """Return the directions (..., 3) in which bodies with bones (..., 24, 3, 3) face."""
    return np.asarray(bones[..., 0, :, _FORWARD])


def find_opposed(facings: Floats, others: Floats, rays: Floats) -> NDArray[np.bool_]:
    """Return whether bodies, mirrored along rays, would face more as others do, (...).

    Args:
        facings: (..., 3) unit vectors.
        others: (..., 3) unit vectors in the same frame.
        rays: (..., 3) from the camera that sees `facings`, of any length.
    """
    along = (facings * rays).sum(-1) * (others * rays).sum(-1) / (rays**2).sum(-1)
    return np.asarray(-2 * along > _CLEARLY)


def find_reversed(
    facings: Floats, rays: Floats, trusts: Floats, expected: Floats
) -> NDArray[np.bool_]:
    """Return which views may show people back to front, (v, n).

    Args:
        facings: (v, n, 3) unit vectors in a common frame.
        rays: (v, n, 3) from the cameras to the people.
        trusts: (v, n) how sure the views are; 0 where not seen.
        expected: (n, 3) from earlier moments, as long as that counts; zero where unknown.
    """
    cosines = np.einsum("vni,uni->vun", facings, facings)
    votes = (trusts[:, None] * np.maximum(cosines, 0)).sum(0)  # (v, n)
    votes += np.maximum(np.einsum("vni,ni->vn", facings, expected), 0)
    winners = np.where(trusts > 0, votes, -1.0).argmax(0)  # (n)
    winning = np.take_along_axis(facings, winners[None, :, None], 0)
    return find_opposed(facings, np.broadcast_to(winning, facings.shape), rays) & (trusts > 0)
