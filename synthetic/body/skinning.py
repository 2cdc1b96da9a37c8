"""Skinning weights of the built-in body: nearest bones, diffused over the surface.

As in Baran and Popovic, "Automatic rigging and animation of 3D characters", 2007, section 4, the
weights are heat that spreads from the bones; here the time differs between joints, which sets the
width of each transition.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import MIRRORED_JOINTS, SMPL_JOINTS, other_side
from synthetic.body.primitives import norm

_INFLUENCES = 4
_SMALLEST = 1.0 / 128.0
_UNITS = 4096

# End of each bone that has no single child, relative to its joint (left side, m).
_TIPS = {
    "pelvis": (0.0, 0.10, 0.0),
    "spine3": (0.0, 0.150, 0.0),
    "head": (0.0, 0.120, 0.0),
    "left_foot": (0.010, -0.005, 0.050),
    "left_hand": (0.070, 0.0, 0.0),
}
_CHILDREN = {
    "left_hip": "left_knee", "spine1": "spine2", "left_knee": "left_ankle", "spine2": "spine3",
    "left_ankle": "left_foot", "neck": "head", "left_collar": "left_shoulder",
    "left_shoulder": "left_elbow",
    "left_elbow": "left_wrist", "left_wrist": "left_hand",
}  # fmt: skip

# Distance by which a bone extends farther than others, m: trunk bones are thick.
_REACH = {
    "pelvis": 0.035, "spine1": 0.035, "spine2": 0.035, "spine3": 0.035, "left_collar": 0.004,
    "neck": 0.030, "head": 0.020,
}  # fmt: skip

# Half the width of the transition at each joint, m.
_WIDTHS = {
    "pelvis": 0.050, "left_hip": 0.048, "spine1": 0.050, "left_knee": 0.034, "spine2": 0.032,
    "left_ankle": 0.022, "spine3": 0.034, "left_foot": 0.016, "neck": 0.024, "left_collar": 0.040,
    "head": 0.024, "left_shoulder": 0.040, "left_elbow": 0.028, "left_wrist": 0.018,
    "left_hand": 0.009,
}  # fmt: skip

# The thigh begins below a plane through the hip joint that rises outwards, like the groin.
_GROIN = np.array([0.45, -0.88, 0.10])
# The head begins above a plane that falls from the nape to under the chin.
_JAW = np.array([0.0, 0.90, 0.43])
_JAW_LEVEL = 0.306


def _segment_distance(points: Floats, start: Floats, end: Floats) -> Floats:
    axis = end - start
    along = np.clip(((points - start) * axis).sum(axis=1) / (axis * axis).sum(), 0.0, 1.0)
    return norm(points - start - along[:, None] * axis)


def _left(name: str) -> str:
    return other_side(name) if name.startswith("right_") else name


def nearest_bones(points: Floats, joints: Floats) -> Integers:
    """Return the joint (n,) whose bone is nearest to each vertex (n, 3), m."""
    folded = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], axis=1)
    below_groin = ((folded - joints[SMPL_JOINTS.index("left_hip")]) * _GROIN).sum(axis=1) > 0
    above_jaw = (points * _JAW).sum(axis=1) > _JAW_LEVEL
    scores = []
    for number, name in enumerate(SMPL_JOINTS):
        left = _left(name)
        if left in _CHILDREN:
            child = _CHILDREN[left]
            end = joints[SMPL_JOINTS.index(child if left == name else other_side(child))]
        else:
            side = 1.0 if left == name else -1.0
            end = joints[number] + np.array(_TIPS[left]) * np.array([side, 1.0, 1.0])
        distance = _segment_distance(points, joints[number], end) - _REACH.get(left, 0.0)
        if left == "left_hip":
            distance = np.where(below_groin, distance, np.inf)
        elif left == "pelvis":
            distance = np.where(below_groin, np.inf, distance)
        elif left == "head":
            distance = np.where(above_jaw, distance, np.inf)
        elif left == "neck":
            distance = np.where(above_jaw, np.inf, distance)
        scores.append(distance)
    nearest: Integers = np.argmin(np.stack(scores, axis=1), axis=1)
    return nearest


def transition_widths(points: Floats, joints: Floats) -> Floats:
    """Return the half width (n,), m, of skinning transitions near each vertex."""
    widths = np.array([_WIDTHS[_left(name)] for name in SMPL_JOINTS])
    share = np.stack([1.0 / (norm(points - joint) + 0.02) ** 4 for joint in joints], axis=1)
    mean: Floats = (share * widths).sum(axis=1) / share.sum(axis=1)
    return mean


def surface_operators(
    points: Floats, faces: Integers, conductivity: Floats
) -> tuple[sparse.csc_matrix, sparse.csc_matrix]:
    """Return lumped mass (v, v) and cotangent stiffness (v, v) for conductivity (v,), m^2."""
    rows, columns, values = [], [], []
    area = norm(
        np.cross(
            points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]]
        )
    )
    local = conductivity[faces].mean(axis=1)
    for corner in range(3):
        a, b, c = (faces[:, (corner + shift) % 3] for shift in range(3))
        cotangent = ((points[b] - points[a]) * (points[c] - points[a])).sum(axis=1) / area
        rows.append(b)
        columns.append(c)
        values.append(local * np.maximum(cotangent, 0.01) / 2)
    count = len(points)
    upper = sparse.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count)
    )
    symmetric = (upper + upper.T).tocsc()
    stiffness = sparse.diags(np.asarray(symmetric.sum(axis=1)).ravel()) - symmetric
    mass = np.bincount(faces.ravel(), np.repeat(area / 6, 3), count)
    return sparse.diags(mass).tocsc(), stiffness.tocsc()


def diffuse(points: Floats, faces: Integers, values: Floats, width: Floats) -> Floats:
    """Smooth per-vertex values (v, k) over the surface with a kernel of width (v,), m."""
    steps = 3
    mass, stiffness = surface_operators(points, faces, np.square(width) / (2 * steps))
    solver = splu((mass + stiffness).tocsc())
    for _ in range(steps):
        values = solver.solve(np.asarray(mass @ values))
    return values


def limit_influences(weights: Floats) -> Floats:
    """Keep the largest four weights of each row, in units of 1/4096, with sum exactly 1."""
    ranked = -np.sort(-weights, axis=1)
    # Strictly above the fifth: two equal weights on the seam are kept or dropped together.
    kept = np.where(weights > ranked[:, _INFLUENCES, None], weights, 0.0)
    kept[kept < _SMALLEST] = 0.0
    units = np.round(kept / kept.sum(axis=1, keepdims=True) * _UNITS)
    units[np.arange(len(units)), units.argmax(axis=1)] += _UNITS - units.sum(axis=1)
    limited: Floats = units / _UNITS
    return limited


def skinning_weights(points: Floats, faces: Integers, mirror: Integers, joints: Floats) -> Floats:
    """Return symmetric weights (v, 24) for vertices (v, 3), m, at most four per row, sum 1."""
    hard = np.eye(len(SMPL_JOINTS))[nearest_bones(points, joints)]
    width = transition_widths(points, joints) * np.sqrt(2.0)
    soft = diffuse(points, faces, hard, width)
    soft = (soft + soft[mirror][:, list(MIRRORED_JOINTS)]) / 2
    half = points[:, 0] >= 0
    weights = limit_influences(soft)
    reflected = weights[mirror][:, list(MIRRORED_JOINTS)]
    weights = np.where(half[:, None], weights, reflected)
    seam = points[:, 0] == 0
    weights[seam] = (weights[seam] + weights[seam][:, list(MIRRORED_JOINTS)]) / 2
    return weights
