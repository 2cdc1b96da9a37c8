"""Sparse matrices that compute the built-in body's joints from its vertices, for every shape."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from smpler_model.array_types import Floats, Integers
from smpler_model.body.skeleton import H36M_JOINTS, MIRRORED_JOINTS, SMPL_JOINTS, other_side
from synthetic.body.primitives import norm

_UNITS = 2**16
_EVENNESS = 2e-3

_H36M_MIRRORED = tuple(H36M_JOINTS.index(other_side(name)) for name in H36M_JOINTS)

# Human3.6M's joints as means of SMPL's; the two on the head's skin are found on the surface.
_H36M_MEANS: dict[str, dict[str, float]] = {
    "pelvis": {"left_hip": 0.5, "right_hip": 0.5},
    "torso": {"spine1": 0.5, "spine2": 0.5},
    "neck": {"neck": 0.75, "spine3": 0.25},
}
_H36M_SKIN = {"nose": (0.0, 0.404, 0.130), "head": (0.0, 0.541, 0.006)}

# Maximum number of nearest vertices that contribute to a joint.
_REACH = {
    "pelvis": 500, "spine1": 500, "spine2": 500, "spine3": 500, "neck": 400, "head": 400,
    "left_hip": 700, "left_knee": 160, "left_ankle": 240, "left_foot": 400, "left_collar": 500,
    "left_shoulder": 500, "left_hand": 120,
}  # fmt: skip


def _row(points: Floats, shapes: Floats, place: Floats, moves: Floats, reach: int) -> Floats:
    """Return non-negative weights (v,) that sum to 1 and give a point and its displacements."""
    near = np.argsort(norm(points - place), kind="stable")[:reach]
    candidates = np.concatenate([points[near][:, :, None], shapes[near]], axis=2)
    goal = np.concatenate([place[:, None], moves], axis=1)
    design = (candidates - goal).reshape(len(near), -1).T / 1e-3
    even = np.eye(len(near)) * (_EVENNESS * len(near))
    system = np.concatenate([design, even, np.full((1, len(near)), 1e4)])
    right = np.concatenate([np.zeros(len(design)), np.full(len(near), _EVENNESS), [1e4]])
    solution, _ = nnls(system, right)
    row = np.zeros(len(points))
    row[near] = solution / solution.sum()
    return row


def _finish(rows: Floats, mirror: Integers, partner: tuple[int, ...]) -> Floats:
    """Make rows symmetric, in units of 2^-16, with a sum of exactly 1."""
    rows = (rows + rows[list(partner)][:, mirror]) / 2
    units = np.round(rows * _UNITS / 2) * 2
    units[units < 8] = 0
    for number, other in enumerate(partner):
        if number > other:
            units[number] = units[other][mirror]
            continue
        missing = _UNITS - units[number].sum()
        largest = int(np.argmax(units[number]))
        if number == other:
            units[number, largest] += missing / 2
            units[number, mirror[largest]] += missing / 2
        else:
            units[number, largest] += missing
    return units / _UNITS


def joint_regressor(
    points: Floats,
    shapes: Floats,
    mirror: Integers,
    joints: Floats,
    joint_shapes: Floats,
) -> Floats:
    """Return the regressor (24, v) of the joints.

    Args:
        points: Vertices (v, 3), m.
        shapes: Vertex displacements (v, 3, 10), m.
        mirror: Mirror permutation (v,).
        joints: Joint centres (24, 3), m.
        joint_shapes: Their displacements (24, 3, 10), m.
    """
    rows = np.zeros((len(joints), len(points)))
    for number, name in enumerate(SMPL_JOINTS):
        if name.startswith("right_"):
            continue
        rows[number] = _row(
            points, shapes, joints[number], joint_shapes[number], _REACH.get(name, 100)
        )
        rows[MIRRORED_JOINTS[number]] = rows[number][mirror]
    return _finish(rows, mirror, MIRRORED_JOINTS)


def h36m_regressor(points: Floats, mirror: Integers, regressor: Floats) -> Floats:
    """Return the Human3.6M regressor (17, v), built on the joint regressor (24, v)."""
    rows = []
    for name in H36M_JOINTS:
        if name in _H36M_SKIN:
            near = np.argsort(norm(points - np.array(_H36M_SKIN[name])), kind="stable")[:12]
            row = np.zeros(len(points))
            row[near] = 1.0 / len(near)
        else:
            means = _H36M_MEANS.get(name, {name: 1.0})
            row = sum(
                (share * regressor[SMPL_JOINTS.index(joint)] for joint, share in means.items()),
                np.zeros(len(points)),
            )
        rows.append(row)
    return _finish(np.stack(rows), mirror, _H36M_MIRRORED)
