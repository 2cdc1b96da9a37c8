"""Fits poses to points in space: joint rotations that bring a body's points to the given ones.

Points leave some rotations undetermined, such as the twist of a forearm. A weak prior determines
them: joints near their rest and within human limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from smpler_model.body.skeleton import H36M_JOINTS, SMPL_JOINTS, SMPL_SHAPE_COUNT
from smpler_model.body.smpl import Body, blend_shape, pose_joints
from smpler_model.network.geometry import rotation_from_axis_angle

NEEDED = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
"""Joints that every person must have, for the position and heading of the trunk."""

_ON_JOINT = {"nose": "head"}  # regressed joints that may be given, and the joint that moves them
_TOLERANCE_M = 0.05  # errors beyond this count linearly, not squared
_OUTSIDE, _AWAY, _SHAPE = 20.0, 0.05, 0.05  # weights of limits, rest and shape
_FIRST_RATE, _LAST_RATE = 0.1, 0.005

_TRUNK = ((-0.35, 0.6), (-0.35, 0.35), (-0.3, 0.3))
_LIMITS = {
    "hip": ((-2.3, 0.6), (-0.7, 0.7), (-0.4, 1.1)),
    "knee": ((0.0, 2.6), (-0.1, 0.1), (-0.1, 0.1)),
    "ankle": ((-0.6, 0.9), (-0.3, 0.3), (-0.3, 0.3)),
    "foot": ((-0.3, 0.3), (-0.1, 0.1), (-0.1, 0.1)),
    "spine1": _TRUNK,
    "spine2": _TRUNK,
    "spine3": _TRUNK,
    "neck": ((-0.6, 0.6), (-0.6, 0.6), (-0.4, 0.4)),
    "head": ((-0.5, 0.5), (-0.6, 0.6), (-0.4, 0.4)),
    "collar": ((-0.1, 0.1), (-0.4, 0.3), (-0.2, 0.5)),
    "shoulder": ((-1.5, 1.5), (-2.2, 1.0), (-1.6, 1.6)),
    "elbow": ((-0.3, 0.3), (-2.6, 0.0), (-0.1, 0.1)),
    "wrist": ((-0.9, 0.9), (-0.5, 0.5), (-1.0, 1.0)),
    "hand": ((-0.1, 0.1), (-0.1, 0.1), (-0.3, 0.3)),
}
"""Rotation vectors of joints, for pairs those on the left: smallest and largest x, y, z, rad."""

_REST = {"shoulder": (0.0, 0.0, -1.1), "knee": (0.2, 0.0, 0.0), "elbow": (0.0, -0.3, 0.0)}
"""Expectations of the prior that differ from the rest pose: arms hang, joints bend slightly."""


@dataclass(frozen=True)
class FittedPoses:
    """n poses.

    Attributes:
        rotations: (n, 24, 3, 3), the pelvis's in the axes of the points.
        errors_m: (n, k) distances of the body's points from the given ones, metres; NaN for
            unknown points.
    """

    rotations: Tensor
    errors_m: Tensor


def fit_poses(
    body: Body, names: tuple[str, ...], points_m: Tensor, confidence: Tensor, steps: int = 250
) -> FittedPoses:
    """Fit a body's pose, shape and position to points of n people, all at once.

    Args:
        body: body of all people, who differ in shape.
        names: names of the k points: SMPL's joints, or the nose.
        points_m: (n, k, 3) in metres, y up for a standing person.
        confidence: (n, k), 0 for unknown points. Those in `NEEDED` must be known.
        steps: number of gradient descent steps.

    Raises:
        ValueError: an unknown name, or a person whose trunk is unknown.
    """
    rows, offsets = _find_on_body(body, names)
    missing = [name for name in NEEDED if name not in names]
    unseen = [
        name for name in NEEDED if name in names and not confidence[:, names.index(name)].all()
    ]
    if missing or unseen:
        raise ValueError(
            f"poses need {', '.join(NEEDED)} of everybody, got no {(missing or unseen)[0]}; leave "
            "out people without it"
        )
    n = len(points_m)
    facing = _face(names, points_m)
    low, high, rest = _make_prior()
    vectors = rest.expand(n, -1, -1).clone().requires_grad_()
    betas = torch.zeros(n, SMPL_SHAPE_COUNT, requires_grad=True)
    middle = (points_m * confidence[..., None]).sum(1) / confidence.sum(1, keepdim=True)
    origin = middle.clone().requires_grad_()

    def pose() -> Tensor:
        turns = rotation_from_axis_angle(vectors.reshape(-1, 3)).view(n, -1, 3, 3)
        return torch.cat((facing[:, None] @ turns[:, :1], turns[:, 1:]), 1)

    def distances(rotations: Tensor) -> Tensor:
        joints = blend_shape(body.rest_joints, body.rest_joint_directions, betas)
        chain = pose_joints(rotations, joints, body.ancestors)[:, rows]
        posed = (chain[..., :3, :3] @ offsets[..., None])[..., 0] + chain[..., :3, 3]
        apart = posed + origin[:, None] - points_m
        return (apart.square().sum(-1) + 1e-10).sqrt()

    optimiser = torch.optim.Adam([vectors, betas, origin], lr=_FIRST_RATE)
    schedule = torch.optim.lr_scheduler.ExponentialLR(
        optimiser, (_LAST_RATE / _FIRST_RATE) ** (1 / steps)
    )
    for _ in range(steps):
        optimiser.zero_grad()
        share = distances(pose()) / _TOLERANCE_M
        misses = functional.huber_loss(share, torch.zeros_like(share), reduction="none")
        outside = (low - vectors).clamp(min=0) + (vectors - high).clamp(min=0)
        # Each person's error is independent of the others: the sum has everybody's gradient.
        loss = (confidence * misses).sum() + _OUTSIDE * outside.square().sum()
        loss = (
            loss + _AWAY * (vectors - rest)[:, 1:].square().sum() + _SHAPE * betas.square().sum()
        )
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        rotations = pose()
        errors = torch.where(confidence > 0, distances(rotations), math.nan)
    return FittedPoses(rotations, errors)


def _find_on_body(body: Body, names: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Return the joints (k,) that move the points, and the points relative to them (k, 3), m."""
    known = (*SMPL_JOINTS, *_ON_JOINT)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"points must be among {', '.join(known)}, got {unknown[0]}; leave it out"
        )
    rows = torch.tensor([SMPL_JOINTS.index(_ON_JOINT.get(name, name)) for name in names])
    offsets = torch.zeros(len(names), 3)
    for place, name in enumerate(names):
        if name in _ON_JOINT:
            at_rest = body.h36m_joints(body.v_template[None])[0, H36M_JOINTS.index(name)]
            offsets[place] = at_rest - body.rest_joints[rows[place]]
    return rows, offsets


def _face(names: tuple[str, ...], points_m: Tensor) -> Tensor:
    """Return the trunks' orientations (n, 3, 3), from hips and shoulders."""
    left_hip, right_hip, left_arm, right_arm = (points_m[:, names.index(name)] for name in NEEDED)
    up = functional.normalize(left_arm + right_arm - left_hip - right_hip, dim=1)
    aside = left_hip - right_hip + 0.5 * (left_arm - right_arm)
    ahead = functional.normalize(torch.linalg.cross(aside, up), dim=1)
    return torch.stack((torch.linalg.cross(up, ahead), up, ahead), 2)


def _make_prior() -> tuple[Tensor, Tensor, Tensor]:
    """Return the smallest, largest and expected rotation vectors of joints, (24, 3) each, rad."""
    low, high, rest = torch.zeros(3, len(SMPL_JOINTS), 3)
    low[0], high[0] = -math.inf, math.inf
    mirror = torch.tensor([1.0, -1.0, -1.0])  # of a rotation vector, from left to right
    for row, name in enumerate(SMPL_JOINTS[1:], start=1):
        side, _, part = name.rpartition("_")
        least, most = torch.tensor(_LIMITS[part]).T
        expected = torch.tensor(_REST.get(part, (0.0, 0.0, 0.0)))
        if side == "right":
            ends = torch.stack((least * mirror, most * mirror))
            least, most, expected = ends.amin(0), ends.amax(0), expected * mirror
        low[row], high[row], rest[row] = least, most, expected
    return low, high, rest
