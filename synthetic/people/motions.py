"""People who walk, wave, sit, turn and reach: poses over time without sliding feet.

An activity gives poses and a heading. The person's path follows from them: at every moment the
supporting feet stay in place, and the rest of the body moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Generator, Tensor

from smpler_model.array_types import Floats
from smpler_model.body.smpl import Body
from synthetic.camera.cameras import WORLD_FROM_BODY
from synthetic.people.gestures import JOINT, draw_left_arms, put_arm
from synthetic.people.poses import STANDING_SHARE, draw_gait, mirror_rotations
from synthetic.people.turns import turn

Activity = Literal["walk", "stand", "wave", "sit", "reach", "turn"]
Hand = Literal["left", "right"]

RATE_HZ = 30.0
_STEP_HZ = 0.9  # pairs of steps per second
_BLEND_S = 0.6
_TURN_S = 1.6
_SEATED = 1.45  # bend of hips and knees, rad
_LIFT, _TURN_LIFT = 0.1, 0.05  # of the swinging foot, in lengths of the leg
_SOLE_M = 0.02  # vertices up to this height above the resting body's lowest point are the soles
_GRIP_M = 0.003  # height above the lowest point over which the grip of the floor fades


@dataclass(frozen=True)
class Leg:
    """A part of a person's motion.

    Attributes:
        activity: kind of activity.
        duration_s: duration; that of walking follows from the distance.
        target_m: (x, y) in the world to walk to.
        heading: heading to turn to, rad about the world's z axis, 0 along x.
    """

    activity: Activity
    duration_s: float = 2.0
    target_m: tuple[float, float] = (0.0, 0.0)
    heading: float = 0.0


@dataclass(frozen=True)
class Motion:
    """One body over time, at `RATE_HZ`.

    Attributes:
        rotations: (t, 24, 3, 3) float64, the pelvis's in the world.
        translations_m: (t, 3) SMPL's origin in the world.
        betas: (10,).
    """

    rotations: Floats
    translations_m: Floats
    betas: Floats

    @property
    def duration_s(self) -> float:
        """Time between the first and the last pose."""
        return (len(self.rotations) - 1) / RATE_HZ

    def at(self, time_s: float) -> tuple[Floats, Floats]:
        """Return rotations (24, 3, 3) and translation (3,) at a time, clamped to the motion.

        Between samples every joint rotates about one axis at a constant rate (slerp).
        """
        place = min(max(time_s * RATE_HZ, 0.0), len(self.rotations) - 1.0)
        row = min(int(place), len(self.rotations) - 2)
        share = place - row
        between = interpolate(self.rotations[row], self.rotations[row + 1], share)
        start, end = self.translations_m[row : row + 2]
        return between, start + share * (end - start)


def interpolate(start: Floats, end: Floats, share: float) -> Floats:
    """Interpolate rotations (..., 3, 3) by slerp; a share of 0 gives the start, 1 the end."""
    first = Rotation.from_matrix(start.reshape(-1, 3, 3))
    step = (first.inv() * Rotation.from_matrix(end.reshape(-1, 3, 3))).as_rotvec()
    matrices = (first * Rotation.from_rotvec(share * step)).as_matrix()
    return np.asarray(matrices.reshape(start.shape), np.float64)


def make_motion(
    body: Body,
    betas: Tensor,
    legs: list[Leg],
    start_m: tuple[float, float],
    heading: float,
    generator: Generator,
    hand: Hand = "left",
) -> Motion:
    """Perform one activity after another.

    Args:
        body: body whose feet touch the floor.
        betas: (10,).
        legs: the activities; at least one.
        start_m: (x, y) in the world.
        heading: heading at the start, rad.
        generator: generator on the CPU; the same seed gives the same motion.
        hand: hand to wave and reach with.

    Raises:
        ValueError: there are no activities.
    """
    if not legs:
        raise ValueError("legs must hold at least one activity, got none; pass [Leg('stand')]")
    feet = _Feet(body, betas)
    style = Style(feet.leg_m, generator, hand)
    pose, place = style.standing, np.array(start_m)
    rotations, translations = [], []
    for leg in legs:
        local, headings = perform(leg, pose, place, heading, style)
        facing = turn("z", torch.tensor(headings, dtype=torch.float32)) @ torch.tensor(
            WORLD_FROM_BODY
        )
        world = local.clone()
        world[:, 0] = facing @ local[:, 0]
        moved = feet.follow(world, place)
        rotations.append(world.double().numpy())
        translations.append(moved)
        pose, place, heading = local[-1], moved[-1, :2], float(headings[-1])
    return Motion(np.concatenate(rotations), np.concatenate(translations), betas.double().numpy())


class Style:
    """One person's poses, the same whenever they repeat an activity.

    Attributes:
        standing: pose (24, 3, 3); so are `reaching`, `waving` and `sitting`.
        hand: hand that the person waves and reaches with.
    """

    def __init__(self, leg_m: float, generator: Generator, hand: Hand = "left") -> None:
        """Draw a style for a person with this leg length from a CPU generator."""
        self.hand = hand
        self.stride = 0.6 + 0.25 * float(torch.rand((), generator=generator))
        self.leg_m = leg_m
        self.pace = _STEP_HZ * (0.9 + 0.2 * float(torch.rand((), generator=generator)))
        self.standing = self._pose("hang", "hang", generator)
        self.reaching = self._pose("reach", "hang", generator)
        self.waving = self._pose("wave", "hang", generator)
        if hand == "right":
            self.reaching, self.waving = map(mirror_rotations, (self.reaching, self.waving))
        self.sitting = self._pose("cross", "cross", generator)
        for side in ("left", "right"):
            # Both bend equally, which keeps the soles level throughout.
            self.sitting[JOINT[f"{side}_hip"]] = turn("x", torch.tensor(-_SEATED))
            self.sitting[JOINT[f"{side}_knee"]] = turn("x", torch.tensor(_SEATED))

    def _pose(self, left: str, right: str, generator: Generator) -> Tensor:
        pose = torch.eye(3).repeat(1, 24, 1, 1)
        for side, gesture in (("left", left), ("right", right)):
            put_arm(pose, side, draw_left_arms(gesture, 1, generator))
        return pose[0]

    def held(self, activity: Activity) -> Tensor:
        """Return the final pose (24, 3, 3) of an activity."""
        poses = {"sit": self.sitting, "reach": self.reaching, "wave": self.waving}
        return poses.get(activity, self.standing)

    @property
    def speed_m(self) -> float:
        """Walking speed, metres per second."""
        return self.leg_m * self.stride / STANDING_SHARE * self.pace

    def phase(self, time: Tensor) -> Tensor:
        """Return the phase of walking, rad, at times (t,), s."""
        return 2 * math.pi * self.pace * time

    def walking(self, time: Tensor, stride: Tensor, lift: Tensor) -> Tensor:
        """Return poses (t, 24, 3, 3) of walking at times (t,), s; others as for `swing_leg`."""
        phase = self.phase(time)
        poses = draw_gait(phase, stride, lift)
        for side, sign in (("left", 1.0), ("right", -1.0)):
            # Arms swing opposite to the leg on the same side.
            swing = turn("x", 0.45 * stride * sign * phase.cos())
            for joint in ("collar", "elbow", "wrist", "hand"):
                poses[:, JOINT[f"{side}_{joint}"]] = self.standing[JOINT[f"{side}_{joint}"]]
            poses[:, JOINT[f"{side}_shoulder"]] = swing @ self.standing[JOINT[f"{side}_shoulder"]]
        poses[:, JOINT["spine2"]] = turn("y", 0.12 * stride * phase.sin())
        return poses


def perform(
    leg: Leg, pose: Tensor, place: Floats, heading: float, style: Style
) -> tuple[Tensor, Floats]:
    """Perform one activity.

    Args:
        leg: the activity.
        pose: (24, 3, 3) at the start, relative to the heading.
        place: (2,) position in the world at the start, m.
        heading: heading at the start, rad.
        style: style of the person.

    Returns:
        Poses (t, 24, 3, 3) at `RATE_HZ`, relative to the heading, and headings (t,), rad.
    """
    goal, duration = heading, leg.duration_s
    if leg.activity == "turn":
        goal = leg.heading
    elif leg.activity == "walk":
        way = np.array(leg.target_m) - place
        goal = math.atan2(way[1], way[0])
        # Acceleration and deceleration take as long as a blend, at half the speed on average.
        duration = max(float(np.linalg.norm(way)) / style.speed_m + _BLEND_S, 2 * _BLEND_S)
    time = torch.arange(max(int(duration * RATE_HZ), 2)) / RATE_HZ
    headings = _turn_over(time, heading, goal, min(duration, _TURN_S), style)
    ramp = _ease(time / _BLEND_S)
    if leg.activity in ("walk", "turn"):
        bustle = ramp * _ease((duration - time) / _BLEND_S)
        walks = float(leg.activity == "walk")
        lift = _LIFT if walks else _TURN_LIFT
        wanted = style.walking(time, walks * style.stride * bustle, lift * bustle)
    elif leg.activity == "wave":
        wanted = style.waving.repeat(len(time), 1, 1, 1)
        beat = 0.35 * (2 * math.pi * 1.2 * time).sin()
        elbow = JOINT[f"{style.hand}_elbow"]
        wanted[:, elbow] = turn("y", beat) @ wanted[:, elbow]
    else:
        wanted = style.held(leg.activity).repeat(len(time), 1, 1, 1)
    return _blend(pose, wanted, ramp), headings


def _turn_over(time: Tensor, start: float, end: float, swift_s: float, style: Style) -> Floats:
    """Return headings (t,), rad, that change while one foot stands and the other swings."""
    turning = (end - start + math.pi) % (2 * math.pi) - math.pi
    half = (style.phase(time) / math.pi) % 1  # of a cycle, from one foot's contact to the other's
    single = (half > 2 * STANDING_SHARE - 1).float()
    rate = single * (_ease((time + 1 / RATE_HZ) / swift_s) - _ease(time / swift_s))
    share = rate.cumsum(0) / rate.sum().clamp(min=1e-6)
    return np.asarray((start + turning * share).double().numpy(), np.float64)


def _ease(share: Tensor) -> Tensor:
    """Rise smoothly from 0 to 1; (...,) -> (...,)."""
    clipped = share.clamp(0, 1)
    return clipped * clipped * (3 - 2 * clipped)


def _blend(pose: Tensor, wanted: Tensor, ramp: Tensor) -> Tensor:
    """Blend a pose (24, 3, 3) into others (t, 24, 3, 3) over time, joint by joint (slerp).

    Args:
        pose: the pose at the start.
        wanted: the poses.
        ramp: (t,) share of them, from 0 to 1, after which nothing is left of the start.
    """
    t = int((ramp < 1).sum())
    rows = (wanted[:t] != pose).any(0).flatten(1).any(1).nonzero()[:, 0]  # others stay
    if not (k := len(rows)):
        return wanted
    first = Rotation.from_matrix(pose[rows].double().numpy())[np.tile(np.arange(k), t)]
    goal = Rotation.from_matrix(wanted[:t, rows].flatten(0, 1).double().numpy())
    share = ramp[:t].double().numpy().repeat(k)[:, None]
    matrices = (first * Rotation.from_rotvec(share * (first.inv() * goal).as_rotvec())).as_matrix()
    blended = wanted.clone()
    blended[:t, rows] = torch.from_numpy(matrices).float().view(t, k, 3, 3)
    return blended


class _Feet:
    """The soles of one body, which stay in place while they touch the floor."""

    def __init__(self, body: Body, betas: Tensor) -> None:
        self.body, self.betas = body, betas
        shaped = body.v_template + torch.einsum("vcs,s->vc", body.shapedirs, betas)
        rows = (shaped[:, 1] < shaped[:, 1].min() + _SOLE_M).nonzero()[:, 0]
        self.moving = body.weights[rows].any(0).nonzero()[:, 0]  # joints that move the soles
        soles = torch.cat((shaped[rows], torch.ones(len(rows), 1)), 1)  # (v, 4)
        weights = body.weights[rows][:, self.moving]  # (v, k)
        self.soles = (weights[..., None] * soles[:, None]).flatten(1)  # (v, k * 4)
        self.rest_joints = (body.J_regressor @ shaped)[None]
        leg = self.rest_joints[0, [JOINT["left_hip"], JOINT["left_ankle"]]]
        self.leg_m = float((leg[0] - leg[1]).norm())

    def follow(self, rotations: Tensor, place: Floats) -> Floats:
        """Return translations (t, 3), m, that keep supporting soles in place, from (2,)."""
        t = len(rotations)
        chain = self.body.chain(rotations, self.betas.expand(t, -1))[:, self.moving, :3]
        turns, joints = torch.split(chain, [3, 1], -1)
        moved = joints - turns @ self.rest_joints[:, self.moving, :, None]
        posed_from_rest = torch.cat((turns, moved), -1)  # (t, k, 3, 4)
        columns = posed_from_rest.permute(1, 3, 2, 0).flatten(2).flatten(0, 1)  # (k * 4, 3 * t)
        soles = (self.soles @ columns).double().numpy().reshape(-1, 3, t)  # vertices, axes, time
        lowest = soles[:, 2].min(0)
        grip = np.exp((lowest - soles[:, 2]) / _GRIP_M)
        grip = grip[:, 1:] + grip[:, :-1]
        steps = np.diff(soles[:, :2])  # (v, 2, t - 1)
        slid = np.einsum("vct,vt->tc", steps, grip) / grip.sum(0)[:, None]
        path = np.vstack((np.zeros(2), -np.cumsum(slid, 0))) + place
        return np.column_stack((path, -lowest))
