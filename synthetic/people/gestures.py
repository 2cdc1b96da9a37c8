"""Arm gestures: hanging, reaching, waving, crossed and so on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from smpler_model.body.skeleton import SMPL_JOINTS
from synthetic.noise import draw_chance, draw_choice
from synthetic.people.turns import turn, turn_towards

JOINT = {name: row for row, name in enumerate(SMPL_JOINTS)}
"""Row of each SMPL joint."""


class Spread(NamedTuple):
    """The distribution of a number.

    Attributes:
        mean: mean value.
        width: half the width if uniform, else the standard deviation.
        even: whether it is uniform; else normal, clipped at 2.5 deviations.
    """

    mean: float
    width: float = 0.0
    even: bool = True

    def draw(self, n: int, generator: Generator) -> Tensor:
        """Draw (n,) numbers."""
        if self.even:
            return self.mean + self.width * (2 * torch.rand(n, generator=generator) - 1)
        return self.mean + self.width * torch.randn(n, generator=generator).clamp(-2.5, 2.5)


def _normal(mean: float, width: float) -> Spread:
    return Spread(mean, width, even=False)


def _between(low: float, high: float) -> Spread:
    return Spread((low + high) / 2, (high - low) / 2)


class Gesture(NamedTuple):
    """A gesture of the left arm.

    Attributes:
        share: fraction of random people with this gesture.
        direction: direction of the upper arm in the chest's frame, x, y and z, of any length.
        twist: twist of the upper arm, rad; rotates the forearm of a hanging arm inwards.
        flex: bend of the elbow, rad.
    """

    share: float
    direction: tuple[Spread, Spread, Spread]
    twist: Spread
    flex: Spread


_DOWN, _FULL = Spread(-1), Spread(1)
_HANGING = (_between(0.05, 0.4), _DOWN, _normal(0.0, 0.22))
_AHEAD = (_normal(0.15, 0.35), _normal(-0.15, 0.4), _FULL)
_ASIDE = (_FULL, _normal(0.0, 0.35), _normal(0.05, 0.35))
_UPWARDS = (_between(0.0, 0.5), _FULL, _normal(0.15, 0.3))
_LIFTED = (_between(0.5, 1.0), _normal(-0.1, 0.35), _normal(0.25, 0.25))
_INWARDS = (_between(0.05, 0.4), _DOWN, _between(0.2, 0.8))
_AWAY = (_between(0.5, 1.0), _DOWN, _between(-0.4, 0.1))
_BACKWARDS = (_between(0.1, 0.4), _DOWN, _between(-0.8, -0.2))
_FACEWARDS = (_between(0.1, 0.7), _normal(0.1, 0.4), _between(0.4, 1.0))
_ANYWHERE = (_between(0.0, 1.5), _normal(0.0, 1.0), _between(-0.6, 1.5))
GESTURES = {
    "hang": Gesture(0.30, _HANGING, _between(-0.3, 0.8), _between(0.0, 0.9)),
    "reach": Gesture(0.13, _AHEAD, _between(-0.5, 1.0), _between(0.0, 1.4)),
    "side": Gesture(0.08, _ASIDE, _normal(-0.2, 0.7), _between(0.0, 1.6)),
    "up": Gesture(0.08, _UPWARDS, _normal(0.0, 0.5), _between(0.0, 1.4)),
    "wave": Gesture(0.07, _LIFTED, _normal(-1.5, 0.35), _between(0.8, 2.2)),
    "cross": Gesture(0.08, _INWARDS, _between(0.6, 1.3), _between(1.1, 2.1)),
    "hips": Gesture(0.06, _AWAY, _between(1.0, 1.6), _between(1.2, 1.9)),
    "behind": Gesture(0.04, _BACKWARDS, _between(0.6, 1.3), _between(0.2, 1.5)),
    "head": Gesture(0.04, _FACEWARDS, _normal(-1.0, 0.4), _between(1.6, 2.5)),
    "any": Gesture(0.12, _ANYWHERE, _normal(0.0, 0.8), _between(0.0, 2.4)),
}


def draw_arms(rotations: Tensor, generator: Generator) -> None:
    """Give poses (n, 24, 3, 3) random gestures, nearly half of them with equal arms."""
    n = len(rotations)
    shares = [gesture.share for gesture in GESTURES.values()]
    left, other = (draw_choice(shares, n, generator) for _ in range(2))
    both = draw_chance(0.45, (n,), generator)
    for side, kind in (("left", left), ("right", torch.where(both, left, other))):
        for row, name in enumerate(GESTURES):
            people = (kind == row).nonzero()[:, 0]
            chosen = rotations[people]
            put_arm(chosen, side, draw_left_arms(name, len(people), generator))
            rotations[people] = chosen


def draw_left_arms(name: str, n: int, generator: Generator) -> dict[str, Tensor]:
    """Return rotations (n, 3, 3) of the left arm's joints for one of `GESTURES`."""

    def normal(mean: float, spread: float) -> Tensor:
        return _normal(mean, spread).draw(n, generator)

    gesture = GESTURES[name]
    pointing = torch.stack([part.draw(n, generator) for part in gesture.direction], 1)
    direction = functional.normalize(pointing, dim=1)
    raised = direction[:, 1].clamp(min=0) + 0.25 * direction[:, 1].clamp(max=0)
    collar = turn("y", normal(0, 0.06) - 0.15 * direction[:, 2]) @ turn("z", 0.4 * raised)
    direction = (collar.transpose(1, 2) @ direction[..., None])[..., 0]
    along = torch.tensor([1.0, 0.0, 0.0])  # the arm at rest
    bent = turn("z", normal(0, 0.12)) @ turn("y", normal(0, 0.22))
    return {
        "collar": collar,
        "shoulder": turn_towards(along, direction) @ turn("x", gesture.twist.draw(n, generator)),
        "elbow": turn("y", -gesture.flex.draw(n, generator)),
        "wrist": bent @ turn("x", normal(0.1, 0.35)),
        "hand": turn("z", normal(-0.05, 0.1)) @ turn("y", normal(0, 0.1)),
    }


def put_arm(rotations: Tensor, side: str, left_arm: dict[str, Tensor]) -> None:
    """Set an arm of `draw_left_arms` in poses (n, 24, 3, 3), mirrored for the right side."""
    mirror = torch.tensor([-1.0 if side == "right" else 1.0, 1.0, 1.0])
    for joint, rotation in left_arm.items():
        rotations[:, JOINT[f"{side}_{joint}"]] = rotation * mirror[:, None] * mirror
