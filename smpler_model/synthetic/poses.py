"""Poses of the 24 SMPL joints, drawn at random within what human joints can do.

Rotations act in SMPL's rest frame (x to the person's left, y up, z to the front), so that a pose
whose pelvis is not turned stands upright and looks along z.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from smpler_model.skeleton import SMPL_JOINTS
from smpler_model.synthetic.noise import draw_chance, draw_choice, draw_uniform

JOINT = {name: row for row, name in enumerate(SMPL_JOINTS)}
MIRRORED_JOINTS = tuple(
    JOINT[
        name.replace("left", "right") if name.startswith("left") else name.replace("right", "left")
    ]
    for name in SMPL_JOINTS
)
"""The joint on the other side of the body, for each SMPL joint."""

_DEGREES = {
    "pelvis": 180,
    "hip": 135,
    "spine1": 50,
    "spine2": 50,
    "spine3": 50,
    "knee": 150,
    "ankle": 60,
    "foot": 30,
    "neck": 60,
    "collar": 45,
    "head": 60,
    "shoulder": 180,
    "elbow": 150,
    "wrist": 85,
    "hand": 45,
}
JOINT_LIMITS = tuple(math.radians(_DEGREES[name.split("_")[-1]]) for name in SMPL_JOINTS)
"""Greatest angle of each joint from its rest, rad."""

STANCES = ("stand", "stride", "sit", "squat", "raise", "lunge", "any")
GESTURES = (*("hang", "reach", "side", "up", "wave", "cross", "hips", "behind", "head", "any"),)
_STANCE_SHARES = (0.33, 0.24, 0.13, 0.07, 0.07, 0.08, 0.08)
_GESTURE_SHARES = (0.30, 0.13, 0.08, 0.08, 0.07, 0.08, 0.06, 0.04, 0.04, 0.12)


STANDING_SHARE = 0.6
"""Share of a walking cycle during which a foot stands on the ground."""


def turn(axis: str, angle: Tensor) -> Tensor:
    """Return rotations (..., 3, 3) by angles (...), rad, about the axis x, y or z."""
    c, s = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(angle), torch.ones_like(angle)
    rows = {
        "x": (one, zero, zero, zero, c, -s, zero, s, c),
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return torch.stack(rows, -1).reshape(*angle.shape, 3, 3)


def turn_towards(start: Tensor, end: Tensor) -> Tensor:
    """Return the smallest rotations (..., 3, 3) that take unit vectors (..., 3) to others."""
    across = torch.linalg.cross(start.expand_as(end), end)
    along = (start * end).sum(-1)[..., None, None].clamp(min=-0.999)
    x, y, z = across.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), -1)
    skew = skew.reshape(*across.shape, 3)
    rotations: Tensor = torch.eye(3) + skew + skew @ skew / (1 + along)
    return rotations


def mirror_rotations(rotations: Tensor) -> Tensor:
    """Return poses (..., 24, 3, 3) as a mirror shows them, left limbs as right ones.

    The pelvis may be turned in the person's own axes or in a camera's: both have x to the side.
    """
    side = rotations.new_tensor([-1.0, 1.0, 1.0])
    return rotations[..., MIRRORED_JOINTS, :, :] * side[:, None] * side


def draw_poses(n: int, generator: Generator) -> Tensor:
    """Draw (n, 24, 3, 3) poses from a CPU generator: standing, walking, sitting and so on.

    The pelvis tilts with the trunk but does not turn: multiply it from the left with where the
    person faces.
    """
    rotations = torch.eye(3).repeat(n, 24, 1, 1)
    lean = _draw_trunk(rotations, generator)
    _draw_legs(rotations, lean, generator)
    _draw_arms(rotations, generator)
    fallen = draw_chance(0.02, (n,), generator)
    axis = functional.normalize(torch.randn(n, 3, generator=generator) * torch.tensor([1, 0, 1.0]))
    from_up = turn_towards(torch.tensor([0.0, 1.0, 0.0]), axis)
    tilt = torch.where(fallen[:, None, None], from_up, torch.eye(3))
    rotations[:, 0] = tilt @ rotations[:, 0]
    mirrored = draw_chance(0.5, (n, 1, 1, 1), generator)
    return torch.where(mirrored, mirror_rotations(rotations), rotations)


def draw_gait(phase: Tensor, stride: Tensor, lift: Tensor) -> Tensor:
    """Return how legs move in walking: (n, 24, 3, 3), other joints at rest.

    Args:
        phase: (n,) rad; the left foot meets the ground at 0, the right at pi.
        stride: (n,) as for `swing_leg`.
        lift: (n,) as for `swing_leg`.
    """
    rotations = torch.eye(3).repeat(len(phase), 24, 1, 1)
    for side, offset in (("left", 0.0), ("right", math.pi)):
        hip, knee, point = swing_leg(phase + offset, stride, lift)
        rotations[:, JOINT[f"{side}_hip"]] = turn("x", -hip)
        rotations[:, JOINT[f"{side}_knee"]] = turn("x", knee)
        rotations[:, JOINT[f"{side}_ankle"]] = turn("x", hip - knee + point)
    return rotations


def swing_leg(phase: Tensor, stride: Tensor, lift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bend one leg so that its foot stands still on the ground and then swings forward.

    While it stands the foot moves backwards under the hip at a constant rate; while it swings it
    starts and ends at that rate. Hip and knee follow from where the ankle is.

    Args:
        phase: (n,) rad; the foot meets the ground at 0.
        stride: (n,) way of the standing foot under the hip, in lengths of the leg; up to 1.2.
        lift: (n,) height of the swinging foot, same unit.

    Returns:
        How far the thigh is raised, how far the knee is bent, and how far the foot points down
        from where it is level, rad.
    """
    cycle = (phase / (2 * math.pi)) % 1
    swing = ((cycle - STANDING_SHARE) / (1 - STANDING_SHARE)).clamp(min=0)
    rate = -(1 - STANDING_SHARE) / STANDING_SHARE  # of the ground, in strides a swing
    # From half a stride behind to half a stride ahead; at both ends at that rate, and steadily.
    ahead = -0.5 + rate * swing + (1 - rate) * swing**3 * (10 - 15 * swing + 6 * swing**2)
    ahead = torch.where(swing > 0, ahead, 0.5 - cycle / STANDING_SHARE) * stride
    height = 0.995 * (1 - (stride / 2).square()).sqrt()
    raised = lift * (math.pi * swing).sin()
    reach = (ahead.square() + (height - raised).square()).sqrt()
    # Thigh and shank of half a leg each: an isosceles triangle.
    half = reach.clamp(max=1).acos()
    return torch.atan2(ahead, height - raised) + half, 2 * half, 2 * raised


def _draw_trunk(rotations: Tensor, generator: Generator) -> Tensor:
    """Bend and turn trunk and head; return (n,) how far the pelvis tilts forwards, rad."""
    n = len(rotations)

    def normal(spread: float) -> Tensor:
        return (torch.randn(n, generator=generator) * spread).clamp(-2.5 * spread, 2.5 * spread)

    kind = draw_choice((0.68, 0.18, 0.14), n, generator)
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
    level = -0.25 * forward  # people look ahead of them
    for joint in ("neck", "head"):
        nod = turn("z", normal(0.08)) @ turn("x", (level + 0.05 + normal(0.16)).clamp(-0.6, 0.6))
        rotations[:, JOINT[joint]] = turn("y", normal(0.24)) @ nod
    return lean


def _draw_legs(rotations: Tensor, lean: Tensor, generator: Generator) -> None:
    n = len(rotations)

    def uniform(low: float, high: float) -> Tensor:
        return draw_uniform(low, high, (n,), generator)

    phase = uniform(0, 2 * math.pi)
    stride, lift = uniform(0.3, 1.1), uniform(0.05, 0.2)
    stance = draw_choice(_STANCE_SHARES, n, generator)
    sit_hip, squat_hip = uniform(1.15, 1.75), uniform(0.8, 2.0)
    squat_knee = squat_hip * uniform(0.8, 1.25)
    for side, offset in (("left", 0.0), ("right", math.pi)):
        swing_hip, swing_knee, _ = swing_leg(phase + offset, stride, lift)
        raised = side == "left"
        hip = torch.stack(
            (
                0.1 * torch.randn(n, generator=generator),
                swing_hip,
                sit_hip + 0.1 * torch.randn(n, generator=generator),
                squat_hip + 0.15 * torch.randn(n, generator=generator),
                uniform(0.3, 1.7) if raised else uniform(-0.1, 0.1),
                uniform(0.4, 1.3) if raised else uniform(-0.5, 0.1),
                uniform(-0.4, 1.9),
            )
        ).gather(0, stance[None])[0]
        knee = torch.stack(
            (
                0.25 * uniform(0, 1) ** 2,
                swing_knee,
                uniform(0.9, 1.9),
                squat_knee + 0.15 * torch.randn(n, generator=generator),
                uniform(0.2, 1.9) if raised else uniform(0, 0.2),
                uniform(0.4, 1.4) if raised else uniform(0, 1.0),
                uniform(0, 2.2),
            )
        ).gather(0, stance[None])[0]
        knee = knee.clamp(0, 2.5)
        hip = (hip + lean).clamp(-0.6, 2.1)  # the thighs stay where they are when the trunk leans
        broad = torch.where(stance >= 2, 0.45, 0.14)
        apart = uniform(-0.05, 1) * broad * (1 if raised else -1)
        twist = 0.18 * torch.randn(n, generator=generator).clamp(-2.5, 2.5)
        thigh = turn("z", apart) @ turn("x", -hip) @ turn("y", twist)
        rotations[:, JOINT[f"{side}_hip"]] = thigh
        rotations[:, JOINT[f"{side}_knee"]] = turn("x", knee)
        flat = hip - lean - knee  # turns a foot parallel to the floor
        ankle = (flat * uniform(0.5, 1.0) + 0.1 * torch.randn(n, generator=generator)).clamp(
            -0.7, 0.5
        )
        rotations[:, JOINT[f"{side}_ankle"]] = turn("x", ankle) @ turn("y", twist * 0.5)


def _draw_arms(rotations: Tensor, generator: Generator) -> None:
    n = len(rotations)
    gesture = draw_choice(_GESTURE_SHARES, n, generator)
    both = draw_chance(0.45, (n,), generator)
    other = draw_choice(_GESTURE_SHARES, n, generator)
    for side, kind in (("left", gesture), ("right", torch.where(both, gesture, other))):
        arm = draw_left_arms(kind, generator)
        put_arm(rotations, side, arm)


def put_arm(rotations: Tensor, side: str, left_arm: dict[str, Tensor]) -> None:
    """Give poses (n, 24, 3, 3) an arm of `draw_left_arms`, mirrored for the right side."""
    mirror = torch.tensor([-1.0 if side == "right" else 1.0, 1.0, 1.0])
    for joint, rotation in left_arm.items():
        rotations[:, JOINT[f"{side}_{joint}"]] = rotation * mirror[:, None] * mirror


def draw_left_arms(kind: Tensor, generator: Generator) -> dict[str, Tensor]:
    """Return rotations (n, 3, 3) of the left arm's joints for gestures (n,), rows of `GESTURES`.

    Positive twist turns the forearm inwards, towards the trunk, where the arm hangs.
    """
    n = len(kind)

    def normal(mean: float, spread: float) -> Tensor:
        return mean + spread * torch.randn(n, generator=generator).clamp(-2.5, 2.5)

    def uniform(low: float, high: float) -> Tensor:
        return draw_uniform(low, high, (n,), generator)

    anywhere = torch.randn(3, n, generator=generator)
    directions = torch.stack(
        [
            torch.stack(parts, 1)
            for parts in (
                (uniform(0.05, 0.4), uniform(-1, -1), normal(0.0, 0.22)),
                (normal(0.15, 0.35), normal(-0.15, 0.4), uniform(1, 1)),
                (uniform(1, 1), normal(0, 0.35), normal(0.05, 0.35)),
                (uniform(0.0, 0.5), uniform(1, 1), normal(0.15, 0.3)),
                (uniform(0.5, 1), normal(-0.1, 0.35), normal(0.25, 0.25)),
                (uniform(0.05, 0.4), uniform(-1, -1), uniform(0.2, 0.8)),
                (uniform(0.5, 1.0), uniform(-1, -1), uniform(-0.4, 0.1)),
                (uniform(0.1, 0.4), uniform(-1, -1), uniform(-0.8, -0.2)),
                (uniform(0.1, 0.7), normal(0.1, 0.4), uniform(0.4, 1)),
                (anywhere[0].abs(), anywhere[1], anywhere[2].clamp(min=-0.6)),
            )
        ]
    )  # (gestures, n, 3), in the chest's frame
    twists = torch.stack(
        (
            *(uniform(-0.3, 0.8), uniform(-0.5, 1.0), normal(-0.2, 0.7), normal(0.0, 0.5)),
            *(normal(-1.5, 0.35), uniform(0.6, 1.3), uniform(1.0, 1.6), uniform(0.6, 1.3)),
            *(normal(-1.0, 0.4), normal(0.0, 0.8)),
        )
    )
    flexes = torch.stack(
        (
            *(
                1.3 * uniform(0, 1) ** 2,
                uniform(0.0, 1.4),
                2 * uniform(0, 1) ** 2,
                uniform(0, 1.4),
            ),
            *(uniform(0.8, 2.2), uniform(1.1, 2.1), uniform(1.2, 1.9), uniform(0.2, 1.5)),
            *(uniform(1.6, 2.5), uniform(0.0, 2.4)),
        )
    )
    rows = torch.arange(n)
    direction = functional.normalize(directions[kind, rows], dim=1)
    raised = direction[:, 1].clamp(min=0) + 0.25 * direction[:, 1].clamp(max=0)
    collar = turn("y", normal(0, 0.06) - 0.15 * direction[:, 2]) @ turn("z", 0.4 * raised)
    direction = (collar.transpose(1, 2) @ direction[..., None])[..., 0]
    shoulder = turn_towards(torch.tensor([1.0, 0.0, 0.0]), direction) @ turn(
        "x", twists[kind, rows]
    )
    bent = turn("z", normal(0, 0.12)) @ turn("y", normal(0, 0.22))
    return {
        "collar": collar,
        "shoulder": shoulder,
        "elbow": turn("y", -flexes[kind, rows]),
        "wrist": bent @ turn("x", normal(0.1, 0.35)),
        "hand": turn("z", normal(-0.05, 0.1)) @ turn("y", normal(0, 0.1)),
    }
