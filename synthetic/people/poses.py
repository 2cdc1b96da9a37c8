"""Random poses of the 24 SMPL joints within human joint limits.

Rotations are in SMPL's rest frame (x to the person's left, y up, z to the front), so that a pose
with an unrotated pelvis stands upright and faces along z.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from smpler_model.body.skeleton import MIRRORED_JOINTS
from synthetic.noise import draw_chance, draw_choice, draw_uniform
from synthetic.people.gestures import JOINT, draw_arms
from synthetic.people.turns import turn, turn_towards

STANCES = ("stand", "stride", "sit", "squat", "raise", "lunge", "any")
_STANCE_SHARES = (0.36, 0.30, 0.14, 0.06, 0.05, 0.05, 0.04)
STANDING_SHARE = 0.6
"""Fraction of a walking cycle in which a foot stands on the ground."""


def mirror_rotations(rotations: Tensor) -> Tensor:
    """Return mirrored poses (..., 24, 3, 3), with left and right limbs exchanged.

    The pelvis may be rotated in the person's own axes or in a camera's: in both, x is sideways.
    """
    side = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations[..., MIRRORED_JOINTS, :, :] * side[:, None] * side


def draw_poses(n: int, generator: Generator) -> Tensor:
    """Draw (n, 24, 3, 3) poses from a CPU generator: standing, walking, sitting and so on.

    The pelvis tilts with the trunk but does not turn: multiply it from the left with the person's
    heading.
    """
    rotations = torch.eye(3).repeat(n, 24, 1, 1)
    lean = _draw_trunk(rotations, generator)
    _draw_legs(rotations, lean, generator)
    draw_arms(rotations, generator)
    fallen = draw_chance(0.01, (n,), generator)
    axis = functional.normalize(torch.randn(n, 3, generator=generator) * torch.tensor([1, 0, 1.0]))
    from_up = turn_towards(torch.tensor([0.0, 1.0, 0.0]), axis)
    tilt = torch.where(fallen[:, None, None], from_up, torch.eye(3))
    rotations[:, 0] = tilt @ rotations[:, 0]
    mirrored = draw_chance(0.5, (n, 1, 1, 1), generator)
    return torch.where(mirrored, mirror_rotations(rotations), rotations)


def draw_gait(phase: Tensor, stride: Tensor, lift: Tensor) -> Tensor:
    """Return the legs' rotations in walking: (n, 24, 3, 3), with other joints at rest.

    Args:
        phase: (n,) rad; the left foot touches the ground at 0, the right at pi.
        stride: (n,) see `swing_leg`.
        lift: (n,) see `swing_leg`.
    """
    rotations = torch.eye(3).repeat(len(phase), 24, 1, 1)
    for side, offset in (("left", 0.0), ("right", math.pi)):
        hip, knee, point = swing_leg(phase + offset, stride, lift)
        rotations[:, JOINT[f"{side}_hip"]] = turn("x", -hip)
        rotations[:, JOINT[f"{side}_knee"]] = turn("x", knee)
        rotations[:, JOINT[f"{side}_ankle"]] = turn("x", hip - knee + point)
    return rotations


def swing_leg(phase: Tensor, stride: Tensor, lift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bend one leg so that its foot stands on the ground and then swings forward.

    While the foot stands, it moves backwards under the hip at a constant rate; its swing starts
    and ends at that rate. Hip and knee follow from the position of the ankle.

    Args:
        phase: (n,) rad; the foot touches the ground at 0.
        stride: (n,) path of the standing foot under the hip, in lengths of the leg; up to 1.2.
        lift: (n,) height of the swinging foot, in lengths of the leg.

    Returns:
        Flexion of the hip, flexion of the knee, and angle of the foot below horizontal, rad.
    """
    cycle = (phase / (2 * math.pi)) % 1
    swing = ((cycle - STANDING_SHARE) / (1 - STANDING_SHARE)).clamp(min=0)
    rate = -(1 - STANDING_SHARE) / STANDING_SHARE  # of the ground, in strides per swing
    # From half a stride behind to half a stride ahead; at both ends with that rate, and smoothly.
    ahead = -0.5 + rate * swing + (1 - rate) * swing**3 * (10 - 15 * swing + 6 * swing**2)
    ahead = torch.where(swing > 0, ahead, 0.5 - cycle / STANDING_SHARE) * stride
    height = 0.995 * (1 - (stride / 2).square()).sqrt()
    raised = lift * (math.pi * swing).sin()
    reach = (ahead.square() + (height - raised).square()).sqrt()
    # Thigh and shank are half a leg each: an isosceles triangle.
    half = reach.clamp(max=1).acos()
    return torch.atan2(ahead, height - raised) + half, 2 * half, 2 * raised


def _draw_trunk(rotations: Tensor, generator: Generator) -> Tensor:
    """Bend and turn trunk and head; return (n,) the forward tilt of the pelvis, rad."""
    n = len(rotations)

    def normal(spread: float) -> Tensor:
        return (torch.randn(n, generator=generator) * spread).clamp(-2.5 * spread, 2.5 * spread)

    kind = draw_choice((0.78, 0.13, 0.09), n, generator)
    bend = torch.stack((0.04 + normal(0.1), draw_uniform(0.3, 1.7, (n,), generator), normal(0.4)))
    forward = bend.gather(0, kind[None])[0]
    wide = 1.0 + (kind == 2)
    lean = torch.where(kind == 1, 0.5 * forward, 0.2 * forward)
    aside, twist = normal(0.12) * wide, normal(0.22) * wide
    rotations[:, 0] = turn("z", normal(0.05)) @ turn("x", lean)
    part = (forward - lean) / 3
    for joint in ("spine1", "spine2", "spine3"):
        bent = turn("z", aside / 3) @ turn("x", part + normal(0.04))
        rotations[:, JOINT[joint]] = turn("y", twist / 3) @ bent
    level = -0.25 * forward  # people look straight ahead
    for joint in ("neck", "head"):
        nod = turn("z", normal(0.08)) @ turn("x", (level + 0.05 + normal(0.16)).clamp(-0.6, 0.6))
        rotations[:, JOINT[joint]] = turn("y", normal(0.24)) @ nod
    return lean


def _draw_legs(rotations: Tensor, lean: Tensor, generator: Generator) -> None:
    n = len(rotations)
    stance = draw_choice(_STANCE_SHARES, n, generator)
    for side, (hips, knees) in _draw_stances(n, generator).items():
        sign = 1 if side == "left" else -1
        hip, knee = hips.gather(0, stance[None])[0], knees.gather(0, stance[None])[0]
        knee = knee.clamp(0, 2.5)
        hip = (hip + lean).clamp(-0.6, 2.1)  # thighs keep their direction when the trunk leans
        broad = torch.where(stance >= STANCES.index("sit"), 0.45, 0.14)
        apart = sign * broad * draw_uniform(-0.05, 1, (n,), generator)
        twist = 0.18 * torch.randn(n, generator=generator).clamp(-2.5, 2.5)
        thigh = turn("z", apart) @ turn("x", -hip) @ turn("y", twist)
        rotations[:, JOINT[f"{side}_hip"]] = thigh
        rotations[:, JOINT[f"{side}_knee"]] = turn("x", knee)
        level = (hip - lean - knee) * draw_uniform(0.5, 1.0, (n,), generator)
        ankle = (level + 0.1 * torch.randn(n, generator=generator)).clamp(-0.7, 0.5)
        rotations[:, JOINT[f"{side}_ankle"]] = turn("x", ankle) @ turn("y", twist * 0.5)


def _draw_stances(n: int, generator: Generator) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the flexion of hips and knees, (stances, n) each, rad, for either side."""

    def uniform(low: float, high: float) -> Tensor:
        return draw_uniform(low, high, (n,), generator)

    def near(mean: Tensor | float, spread: float) -> Tensor:
        return mean + spread * torch.randn(n, generator=generator)

    phase, stride, lift = uniform(0, 2 * math.pi), uniform(0.3, 1.1), uniform(0.05, 0.2)
    sit, squat = uniform(1.15, 1.75), uniform(0.8, 2.0)
    deep = squat * uniform(0.8, 1.25)
    left_hip, left_knee, _ = swing_leg(phase, stride, lift)
    right_hip, right_knee, _ = swing_leg(phase + math.pi, stride, lift)
    left_hips = [near(0, 0.1), left_hip, near(sit, 0.1), near(squat, 0.15)]
    left_hips += [uniform(0.3, 1.7), uniform(0.4, 1.3), uniform(-0.4, 1.9)]
    left_knees = [0.25 * uniform(0, 1) ** 2, left_knee, uniform(0.9, 1.9), near(deep, 0.15)]
    left_knees += [uniform(0.2, 1.9), uniform(0.4, 1.4), uniform(0, 2.2)]
    right_hips = [near(0, 0.1), right_hip, near(sit, 0.1), near(squat, 0.15)]
    right_hips += [uniform(-0.1, 0.1), uniform(-0.5, 0.1), uniform(-0.4, 1.9)]
    right_knees = [0.25 * uniform(0, 1) ** 2, right_knee, uniform(0.9, 1.9), near(deep, 0.15)]
    right_knees += [uniform(0, 0.2), uniform(0, 1.0), uniform(0, 2.2)]
    return {
        "left": (torch.stack(left_hips), torch.stack(left_knees)),
        "right": (torch.stack(right_hips), torch.stack(right_knees)),
    }
