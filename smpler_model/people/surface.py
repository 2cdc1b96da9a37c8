"""The surface of people's trunks as a depth image sees it, without a mesh or a rasteriser.

A depth image measures skin: the belly of a person facing the camera, the side of a person standing
sideways. The trunk is a few hundred points that move rigidly with its bones. Those whose skin
faces the camera are visible, unless an arm or something else is in front of them. Where the
estimated arms hide the trunk, nothing is read.
"""

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.arrays import BodyArrays
from smpler_model.body.normals import vertex_normals
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS
from smpler_model.people.bones import chain, nearest_to_rays

POINT_COUNT = 300
"""Points of a trunk, some 4 cm apart."""

TRUNK = [
    SMPL_JOINTS.index(name)
    for name in (
        *("pelvis", "left_hip", "right_hip", "spine1", "spine2", "spine3"),
        *("left_collar", "right_collar"),
    )
]
"""Bones with much of the body around them, and the thighs."""

ARMS = [
    SMPL_JOINTS.index(f"{side}_{name}")
    for side in ("left", "right")
    for name in ("elbow", "wrist", "hand")
]
"""Ends of the limbs that hang before the trunk of people seen from the side."""

ARM_RADIUS_M = 0.06
"""Distance from an arm's bones within which it hides the trunk: its flesh, and errors of poses."""

_LEAST_COSINE = 0.4  # of the angle between the skin's normal and the way to the camera


class TrunkSurface:
    """Points of a trunk's skin, each on one bone; shape coefficients do not change them."""

    def __init__(self, body: BodyArrays, count: int = POINT_COUNT) -> None:
        """Choose points that are as far from each other as possible.

        Args:
            body: the body.
            count: number of points.
        """
        vertices = np.asarray(body.v_template, np.float64)
        owners = np.asarray(body.weights).argmax(1)
        trunk = np.flatnonzero(np.isin(owners, TRUNK))
        chosen = trunk[_spread_out(vertices[trunk], count)]
        rest = np.asarray(body.J_regressor, np.float64) @ vertices
        self._bones = owners[chosen]
        self._offsets_m = vertices[chosen] - rest[self._bones]
        self._normals = vertex_normals(vertices, body.faces)[chosen]

    def points(self, rotations: Floats, joints_m: Floats) -> Floats:
        """Return the points (n, p, 3) of people.

        Args:
            rotations: (n, 24, 3, 3) `parent_from_joint`.
            joints_m: (n, 24, 3) in any frame in which the pelvis's rotation is given.
        """
        return self._move(chain(rotations)[:, self._bones], joints_m)

    def front(self, rotations: Floats, joints_m: Floats) -> Floats:
        """Return the points (n, p, 3) that the camera sees; NaN in place of the others.

        Seen are those that face the camera and are not behind an arm.

        Args:
            rotations: (n, 24, 3, 3), the pelvis's in the optical frame.
            joints_m: (n, 24, 3) in the optical frame.
        """
        turns = chain(rotations)[:, self._bones]
        points = self._move(turns, joints_m)
        normals = (turns @ self._normals[..., None])[..., 0]
        towards = -(normals * points).sum(-1)
        faces = towards > _LEAST_COSINE * np.linalg.norm(points, axis=-1)
        return np.where((faces & ~_behind_arms(points, joints_m))[..., None], points, np.nan)

    def _move(self, turns: Floats, joints_m: Floats) -> Floats:
        turned = (turns @ self._offsets_m[..., None])[..., 0]
        points: Floats = joints_m[:, self._bones] + turned
        return points


def _behind_arms(points: Floats, joints_m: Floats) -> NDArray[np.bool_]:
    """Return which points (n, p, 3) people's own arms hide from the camera, (n, p)."""
    distances_m = np.linalg.norm(points, axis=-1)
    starts_m, ends_m = joints_m[:, [SMPL_PARENTS[end] for end in ARMS]], joints_m[:, ARMS]
    across_m, along_m = nearest_to_rays(points / distances_m[..., None], starts_m, ends_m)
    hides = (across_m < ARM_RADIUS_M) & (along_m > 0) & (along_m < distances_m[..., None])
    return np.asarray(hides.any(-1))


def _spread_out(points: Floats, count: int) -> np.ndarray:
    """Return the indices of points, each as far as possible from those before."""
    chosen = np.zeros(count, np.intp)
    distances2 = np.full(len(points), np.inf)
    for index in range(1, count):
        distances2 = np.minimum(distances2, ((points - points[chosen[index - 1]]) ** 2).sum(1))
        chosen[index] = distances2.argmax()
    return chosen
