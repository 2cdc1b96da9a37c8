"""The built-in body as one implicit surface, its gradient, and its target mesh density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smpler_model.array_types import Floats
from synthetic.body import anatomy
from synthetic.body.primitives import Shape, blend, carve, norm

_PROBE = 1e-5


def _union(parts: list[tuple[Shape, float]], points: Floats) -> Floats:
    (first, _), *others = parts
    value = first(points)
    for shape, width in others:
        value = blend(value, shape(points), width)
    return value


@dataclass(frozen=True)
class BodySurface:
    """Value and gradient of the body's implicit function for points with x >= 0."""

    trunk: list[tuple[Shape, float]]
    head: list[tuple[Shape, float]]
    arm: list[tuple[Shape, float]]
    hand: list[tuple[Shape, float]]
    leg: list[tuple[Shape, float]]
    foot: list[tuple[Shape, float]]

    @classmethod
    def assemble(cls) -> BodySurface:
        """Build the body from the parts in `anatomy`."""
        return cls(
            trunk=anatomy.trunk_parts(),
            head=anatomy.head_parts(),
            arm=anatomy.arm_parts(),
            hand=anatomy.hand_parts(),
            leg=anatomy.leg_parts(),
            foot=anatomy.foot_parts(),
        )

    def __call__(self, points: Floats) -> Floats:
        """Values at points (n, 3), m: negative inside."""
        head = _union(self.head, points)
        head = carve(head, anatomy.EYE_SOCKET(points), 0.012)
        head = blend(head, anatomy.EYE(points), 0.004)
        head = carve(head, anatomy.EAR_HOLLOW(points), 0.004)
        leg = blend(_union(self.leg, points), _union(self.foot, points), 0.03)
        arm = blend(_union(self.arm, points), _union(self.hand, points), 0.02)
        value = blend(_union(self.trunk, points), leg, 0.03)
        value = blend(value, arm, 0.05)
        return blend(value, head, 0.03)

    def gradient(self, points: Floats) -> Floats:
        """Gradient (n, 3) by central differences; no x component on the plane x = 0."""
        columns = []
        for axis in range(3):
            step = np.zeros(3)
            step[axis] = _PROBE
            columns.append((self(points + step) - self(points - step)) / (2 * _PROBE))
        gradient = np.stack(columns, axis=1)
        gradient[points[:, 0] == 0.0, 0] = 0.0
        return gradient

    def project(self, points: Floats, steps: int = 2) -> Floats:
        """Project points (n, 3) close to the surface approximately onto it, by Newton's method."""
        for _ in range(steps):
            gradient = self.gradient(points)
            square = np.square(norm(gradient))
            move = self(points) / np.maximum(square, 0.04)
            points = points - np.clip(move, -0.02, 0.02)[:, None] * gradient
        return points


def edge_length(points: Floats) -> Floats:
    """Return the target edge length (n,), m, before the factor that sets the vertex count."""

    def near(centre: tuple[float, float, float], inner: float, outer: float) -> Floats:
        distance = norm(points - np.array(centre))
        ramp = np.clip((distance - inner) / (outer - inner), 0.0, 1.0)
        return ramp * ramp * (3.0 - 2.0 * ramp)

    length = 0.0245 - 0.0100 * (1.0 - near((0.0, 0.43, 0.0), 0.13, 0.25))
    length = length - 0.0065 * (1.0 - near((0.0, 0.395, 0.11), 0.055, 0.12))
    length = np.minimum(length, 0.0080 + 0.0165 * near((0.078, 0.424, 0.0), 0.03, 0.10))
    reach = np.clip((points[:, 0] - 0.60) / 0.15, 0.0, 1.0)
    length = length - 0.0180 * reach * reach * (3.0 - 2.0 * reach)
    length = length - 0.0120 * (1.0 - near((0.105, -1.145, 0.150), 0.045, 0.16))
    return length - 0.0045 * (1.0 - near((0.095, -1.120, 0.000), 0.10, 0.25))
