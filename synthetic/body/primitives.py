"""Implicit shapes from which the built-in body is blended.

A shape is called with points (n, 3) in metres and returns (n,) values in metres: negative inside,
positive outside, approximately the distance near the surface. It uses only sums, products and
square roots, which are rounded identically on every machine, so that the generator is
reproducible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.interpolate import CubicSpline

from smpler_model.array_types import Floats

Shape = Callable[[Floats], Floats]
Point = tuple[float, float, float]


def blend(first: Floats, second: Floats, width: float) -> Floats:
    """Return the union of two shapes with a fillet.

    Args:
        first: Values of one shape, (n,), m.
        second: Values of the other, (n,), m.
        width: The shapes merge where their values differ by less than this, m.

    Returns:
        Values of the union, (n,), twice differentiable across the fillet.
    """
    near = np.maximum(width - np.abs(first - second), 0.0) / width
    return np.minimum(first, second) - near * near * near * (width / 6.0)


def carve(solid: Floats, tool: Floats, width: float) -> Floats:
    """Subtract one shape from another, with rounded edges; arguments as for `blend`."""
    return -blend(-solid, tool, width)


def norm(vectors: Floats) -> Floats:
    """Return the length of each row of (n, 2) or (n, 3), summed in a fixed order."""
    total = vectors[:, 0] * vectors[:, 0]
    for column in range(1, vectors.shape[1]):
        total = total + vectors[:, column] * vectors[:, column]
    length: Floats = np.sqrt(total)
    return length


def mirrored(shape: Shape, width: float) -> Shape:
    """Return the shape and its reflection in x = 0, blended where they meet."""

    def both(points: Floats) -> Floats:
        reflected = points.copy()
        reflected[:, 0] = -reflected[:, 0]
        return blend(shape(points), shape(reflected), width)

    return both


@dataclass(frozen=True)
class Cone:
    """A segment from `start` to `end` (m) thickened by a radius that changes linearly (m)."""

    start: Point
    end: Point
    start_radius: float
    end_radius: float

    def __call__(self, points: Floats) -> Floats:
        """Values at points (n, 3), m."""
        axis = np.array(self.end) - np.array(self.start)
        offset = points - np.array(self.start)
        along = offset[:, 0] * axis[0] + offset[:, 1] * axis[1] + offset[:, 2] * axis[2]
        along = np.clip(along / (axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2), 0.0, 1.0)
        radius = self.start_radius + along * (self.end_radius - self.start_radius)
        distance: Floats = norm(offset - along[:, None] * axis) - radius
        return distance


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with semi-axes `radii` (m), rotated about x; `pitch` is the angle's tangent."""

    centre: Point
    radii: Point
    pitch: float = 0.0

    def __call__(self, points: Floats) -> Floats:
        """Values at points (n, 3), m."""
        offset = points - np.array(self.centre)
        cosine = 1.0 / np.sqrt(1.0 + self.pitch * self.pitch)
        sine = self.pitch * cosine
        turned = np.stack(
            [
                offset[:, 0],
                cosine * offset[:, 1] + sine * offset[:, 2],
                cosine * offset[:, 2] - sine * offset[:, 1],
            ],
            axis=1,
        )
        scaled = norm(turned / np.array(self.radii))
        slope = norm(turned / np.square(np.array(self.radii)))
        # The quotient has no limit at the centre; the shortest semi-axis is the depth there.
        reach = np.where(slope > 1e-9, scaled / np.maximum(slope, 1e-9), min(self.radii))
        return reach * (scaled - 1.0)


@dataclass(frozen=True)
class Loft:
    """A tube along a coordinate axis whose section changes smoothly.

    Each row of `sections` is (t, u_centre, v_centre, u_low, u_high, v_low, v_high, squareness):
    position along the axis, the section's centre, its extreme coordinates on the two other axes
    (m; in the order x, y, z), and 0 for an ellipse to 1 for a rounded rectangle. The tube ends,
    rounded over `cap` metres, at the first and the last row.
    """

    axis: int
    sections: Sequence[tuple[float, ...]]
    cap: float
    _curve: CubicSpline = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = np.array(self.sections, dtype=np.float64)
        object.__setattr__(self, "_curve", CubicSpline(rows[:, 0], rows[:, 1:], bc_type="natural"))

    def __call__(self, points: Floats) -> Floats:
        """Values at points (n, 3), m."""
        first, last = self.sections[0][0], self.sections[-1][0]
        along = points[:, self.axis]
        section = self._curve(np.clip(along, first, last))
        u, v = (points[:, other] for other in range(3) if other != self.axis)
        centre_u, centre_v, *extremes, squareness = section.T
        offset = np.stack([u - centre_u, v - centre_v], axis=1)
        u_low, u_high, v_low, v_high = extremes
        reach_u = np.where(offset[:, 0] < 0, centre_u - u_low, u_high - centre_u)
        reach_v = np.where(offset[:, 1] < 0, centre_v - v_low, v_high - centre_v)
        ratio = np.square(offset / np.stack([reach_u, reach_v], axis=1))
        round_level = np.sqrt(ratio[:, 0] + ratio[:, 1])
        square_level = np.sqrt(np.sqrt(np.square(ratio[:, 0]) + np.square(ratio[:, 1])))
        level = round_level + squareness * (square_level - round_level)
        distance = np.maximum(norm(offset), 1e-9)
        level = np.maximum(level, distance / np.maximum(reach_u, reach_v))
        side = distance - distance / level
        ends = np.maximum(first - along, along - last)
        return -blend(-side, -ends, self.cap)
