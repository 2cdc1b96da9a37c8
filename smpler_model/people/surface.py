"""How far the visible surface of a body lies before its joints, without a mesh or a rasteriser.

A depth image measures the surface: the belly of who faces the camera, an arm of who stands
sideways. The surface is a few hundred points that move rigidly with the bones; a joint is behind
the front ones of those that its ray passes closely.
"""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.arrays import BodyArrays
from smpler_model.people.bones import chain

POINT_COUNT = 800
"""Points of a body; its surface has some 1.9 square metres, so they are 5 cm apart."""

_REACH_M = 0.045  # of a point, across a ray
_LAYER_M = 0.05  # depth of the front layer, whose points are averaged
_LEAST_M2 = 1e-12


class BodySurface:
    """Points of a body's surface, each on one bone; shape coefficients do not change them."""

    def __init__(self, body: BodyArrays, count: int = POINT_COUNT) -> None:
        """Choose points that are as far from each other as possible.

        Args:
            body: the body.
            count: number of points.
        """
        chosen = _spread_out(np.asarray(body.v_template, np.float64), count)
        rest = np.asarray(body.J_regressor, np.float64) @ body.v_template
        self._bones = np.asarray(body.weights)[chosen].argmax(1)
        self._offsets_m = np.asarray(body.v_template, np.float64)[chosen] - rest[self._bones]

    def points(self, rotations: Floats, joints_m: Floats) -> Floats:
        """Return the points (n, p, 3) of people.

        Args:
            rotations: (n, 24, 3, 3) `parent_from_joint`.
            joints_m: (n, 24, 3) in any frame in which the pelvis's rotation is given.
        """
        turned = (chain(rotations)[:, self._bones] @ self._offsets_m[..., None])[..., 0]
        points: Floats = joints_m[:, self._bones] + turned
        return points

    def before(self, rotations: Floats, joints_m: Floats, rows: NDArray[np.intp]) -> Floats:
        """Return how far (n, r) the surface lies before some joints, along the optical axis.

        Args:
            rotations: (n, 24, 3, 3), the pelvis's in the optical frame.
            joints_m: (n, 24, 3) in the optical frame.
            rows: (r) the joints.

        Returns:
            Metres, positive; NaN where no point is near the ray.
        """
        points, joints = self.points(rotations, joints_m), joints_m[:, rows]
        lengths = np.sqrt(np.maximum((joints**2).sum(-1), _LEAST_M2))
        along = joints @ points.swapaxes(1, 2) / lengths[..., None]  # (n, r, p) on the rays
        across2 = (points**2).sum(-1)[:, None] - along**2
        nearness = np.maximum(1 - across2 / _REACH_M**2, 0)
        before = lengths[..., None] - along
        front = np.where(nearness > 0, before, -np.inf).max(-1, keepdims=True)
        weights = np.where(before > front - _LAYER_M, nearness, 0)
        total = weights.sum(-1)
        means = (weights * before).sum(-1) / np.where(total > 0, total, 1)
        by_axis = means * joints[..., 2] / lengths
        return np.asarray(np.where((total > 0) & (by_axis > 0), by_axis, np.nan))


def _spread_out(points: Floats, count: int) -> NDArray[np.intp]:
    """Return the indices of points, each as far as possible from those before."""
    chosen = np.zeros(count, np.intp)
    distances2 = np.full(len(points), np.inf)
    for index in range(1, count):
        distances2 = np.minimum(distances2, ((points - points[chosen[index - 1]]) ** 2).sum(1))
        chosen[index] = distances2.argmax()
    return chosen
