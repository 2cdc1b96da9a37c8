"""Ten directions in which the built-in body's shape varies; a unit is one standard deviation.

A direction stretches bones along the rest pose's axes, which also moves the joints, and adds
smooth swellings along the normals, which does not. Both are linear, like SMPL's shape directions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smpler_model.array_types import Floats, Integers
from smpler_model.body.normals import vertex_normals
from smpler_model.body.skeleton import SMPL_JOINTS, SMPL_PARENTS, other_side

Triple = tuple[float, float, float]

_TRUNK = ("pelvis", "spine1", "spine2", "spine3")
_NECK = ("neck",)
_HEAD = ("head",)
_COLLARS = ("left_collar",)
_UPPER_ARMS = ("left_shoulder",)
_FOREARMS = ("left_elbow",)
_HANDS = ("left_wrist", "left_hand")
_ARMS = (*_UPPER_ARMS, *_FOREARMS)
_THIGHS = ("left_hip",)
_SHANKS = ("left_knee",)
_LEGS = (*_THIGHS, *_SHANKS)
_FEET = ("left_ankle", "left_foot")


@dataclass(frozen=True)
class Swelling:
    """A bump of `height` m along the normals, a Gaussian with semi-axes `size` at `centre`, m."""

    centre: Triple
    size: Triple
    height: float


@dataclass(frozen=True)
class ShapeDirection:
    """The effect of one unit of a shape coefficient.

    `stretch` lists bones (named by their joints, left for both) with strains along x, y and z.
    """

    name: str
    stretch: list[tuple[tuple[str, ...], Triple]] = field(default_factory=list)
    swellings: list[Swelling] = field(default_factory=list)


SHAPE_DIRECTIONS = (
    ShapeDirection(
        "height",
        [
            (_LEGS, (0.012, 0.0455, 0.012)),
            (_TRUNK, (0.018, 0.0410, 0.012)),
            (_COLLARS, (0.018, 0.018, 0.012)),
            (_NECK, (0.010, 0.0400, 0.010)),
            (_HEAD, (0.014, 0.0180, 0.014)),
            (_ARMS, (0.042, 0.012, 0.012)),
            (_HANDS, (0.034, 0.020, 0.025)),
            (_FEET, (0.020, 0.0300, 0.034)),
        ],
    ),
    ShapeDirection(
        "weight",
        [
            (_TRUNK, (0.065, 0.0, 0.085)),
            (_COLLARS, (0.020, 0.050, 0.070)),
            (_NECK, (0.045, 0.0, 0.045)),
            (_HEAD, (0.012, 0.0, 0.006)),
            (_UPPER_ARMS, (0.0, 0.075, 0.075)),
            (_FOREARMS, (0.0, 0.045, 0.045)),
            (_HANDS, (0.0, 0.020, 0.015)),
            (_THIGHS, (0.060, 0.0, 0.065)),
            (_SHANKS, (0.040, 0.0, 0.045)),
            (_FEET, (0.015, 0.0, 0.005)),
        ],
        [
            Swelling((0.0, -0.120, 0.090), (0.13, 0.12, 0.10), 0.009),
            Swelling((0.13, -0.160, -0.02), (0.07, 0.09, 0.10), 0.005),
            Swelling((0.0, 0.325, 0.050), (0.05, 0.03, 0.05), 0.003),
        ],
    ),
    ShapeDirection(
        "leg proportion",
        [(_LEGS, (0.0, 0.030, 0.0)), (_TRUNK, (0.0, -0.047, 0.0))],
    ),
    ShapeDirection(
        "shoulder breadth",
        [(("spine3",), (0.060, 0.0, 0.0)), (_COLLARS, (0.060, 0.0, 0.0))],
        [Swelling((0.15, 0.090, -0.030), (0.05, 0.08, 0.09), 0.004)],
    ),
    ShapeDirection(
        "hip breadth",
        [(("pelvis",), (0.055, 0.0, 0.030)), (_THIGHS, (0.035, 0.0, 0.025))],
        [
            Swelling((0.165, -0.310, 0.0), (0.06, 0.10, 0.10), 0.004),
            Swelling((0.085, -0.310, -0.120), (0.09, 0.09, 0.06), 0.005),
        ],
    ),
    ShapeDirection("arm length", [(_ARMS, (0.040, 0.0, 0.0)), (_HANDS, (0.025, 0.0, 0.0))]),
    ShapeDirection(
        "belly",
        [(("spine1",), (0.030, 0.0, 0.0))],
        [
            Swelling((0.0, -0.120, 0.105), (0.13, 0.115, 0.09), 0.017),
            Swelling((0.13, -0.120, 0.020), (0.06, 0.08, 0.09), 0.004),
        ],
    ),
    ShapeDirection(
        "chest",
        [(("spine2", "spine3"), (0.020, 0.0, 0.030))],
        [Swelling((0.075, 0.075, 0.110), (0.07, 0.065, 0.06), 0.011)],
    ),
    ShapeDirection(
        "muscle",
        [
            (_UPPER_ARMS, (0.0, 0.035, 0.035)),
            (_FOREARMS, (0.0, 0.025, 0.025)),
            (_LEGS, (0.020, 0.0, 0.020)),
            (_NECK, (0.040, 0.0, 0.040)),
        ],
        [
            Swelling((0.200, 0.240, -0.020), (0.06, 0.06, 0.08), 0.006),
            Swelling((0.310, 0.250, -0.030), (0.07, 0.05, 0.06), 0.005),
            Swelling((0.310, 0.160, -0.030), (0.07, 0.05, 0.06), 0.004),
            Swelling((0.500, 0.215, -0.040), (0.06, 0.06, 0.06), 0.003),
            Swelling((0.080, 0.120, 0.100), (0.07, 0.05, 0.05), 0.006),
            Swelling((0.130, 0.100, -0.060), (0.05, 0.09, 0.07), 0.007),
            Swelling((0.080, 0.265, -0.040), (0.05, 0.04, 0.05), 0.006),
            Swelling((0.100, -0.500, 0.060), (0.08, 0.12, 0.07), 0.005),
            Swelling((0.095, -0.820, -0.070), (0.06, 0.09, 0.05), 0.005),
            Swelling((0.0, -0.120, 0.100), (0.12, 0.10, 0.08), -0.007),
        ],
    ),
    ShapeDirection("head size", [(_HEAD, (0.040, 0.040, 0.040)), (_NECK, (0.015, 0.0, 0.015))]),
)


def bone_strains(direction: ShapeDirection) -> Floats:
    """Return the strain of every bone along x, y and z per unit, (24, 3)."""
    strains = np.zeros((len(SMPL_JOINTS), 3))
    for bones, strain in direction.stretch:
        for bone in bones:
            for name in {bone, other_side(bone)}:
                strains[SMPL_JOINTS.index(name)] += strain
    return strains


def joint_displacements(joints: Floats, strains: Floats) -> Floats:
    """Return the displacements of the joints (24, 3) by strained bones, m; the pelvis is fixed."""
    moved = np.zeros_like(joints)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        moved[joint] = moved[parent] + strains[parent] * (joints[joint] - joints[parent])
    return moved


def _swell(points: Floats, swelling: Swelling) -> Floats:
    height = np.zeros(len(points))
    for side in (1.0, -1.0) if swelling.centre[0] else (1.0,):
        offset = (points - np.array(swelling.centre) * np.array([side, 1.0, 1.0])) / swelling.size
        height += swelling.height * np.exp(-(offset * offset).sum(axis=1))
    return height


def shape_directions(
    points: Floats, faces: Integers, weights: Floats, joints: Floats
) -> tuple[Floats, Floats]:
    """Return the displacements of vertices and joints per unit of each coefficient.

    Args:
        points: Vertices (v, 3), m.
        faces: Triangles (f, 3).
        weights: Skinning weights (v, 24), which blend the strains of neighbouring bones.
        joints: Joint centres (24, 3), m.

    Returns:
        Vertex displacements (v, 3, 10) and joint displacements (24, 3, 10), m.
    """
    normals = vertex_normals(points, faces)
    of_vertices, of_joints = [], []
    for direction in SHAPE_DIRECTIONS:
        strains = bone_strains(direction)
        moved = joint_displacements(joints, strains)
        # sum_j w_j (dJ_j + S_j (v - J_j)), expanded so that no (v, 24, 3) array is needed
        field_ = weights @ (moved - strains * joints) + (weights @ strains) * points
        for swelling in direction.swellings:
            field_ = field_ + _swell(points, swelling)[:, None] * normals
        of_vertices.append(field_)
        of_joints.append(moved)
    return np.stack(of_vertices, axis=-1), np.stack(of_joints, axis=-1)
