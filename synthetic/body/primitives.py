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
    return _length(*vectors.T)


def _length(*coordinates: Floats) -> Floats:
    """Return the lengths of vectors, given as an array per coordinate; rows take longer."""
    total = coordinates[0] * coordinates[0]
    for values in coordinates[1:]:
        total = total + values * values
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
        x, y, z = (points[:, column] - self.start[column] for column in range(3))
        along = x * axis[0] + y * axis[1] + z * axis[2]
        along = np.clip(along / (axis[0] ** 2 + axis[1] ** 2 + axis[2] ** 2), 0.0, 1.0)
        radius = self.start_radius + along * (self.end_radius - self.start_radius)
        across = (x - along * axis[0], y - along * axis[1], z - along * axis[2])
        distance: Floats = _length(*across) - radius
        return distance


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with semi-axes `radii` (m), rotated about x; `pitch` is the angle's tangent."""

    centre: Point
    radii: Point
    pitch: float = 0.0

    def __call__(self, points: Floats) -> Floats:
        """Values at points (n, 3), m."""
        x, y, z = (points[:, column] - self.centre[column] for column in range(3))
        cosine = 1.0 / np.sqrt(1.0 + self.pitch * self.pitch)
        sine = self.pitch * cosine
        y, z = cosine * y + sine * z, cosine * z - sine * y
        a, b, c = self.radii
        scaled = _length(x / a, y / b, z / c)
        slope = _length(x / (a * a), y / (b * b), z / (c * c))
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
        offset_u, offset_v = u - centre_u, v - centre_v
        u_low, u_high, v_low, v_high = extremes
        reach_u = np.where(offset_u < 0, centre_u - u_low, u_high - centre_u)
        reach_v = np.where(offset_v < 0, centre_v - v_low, v_high - centre_v)
        ratio_u, ratio_v = np.square(offset_u / reach_u), np.square(offset_v / reach_v)
        round_level = np.sqrt(ratio_u + ratio_v)
        square_level = np.sqrt(np.sqrt(np.square(ratio_u) + np.square(ratio_v)))
        level = round_level + squareness * (square_level - round_level)
        distance = np.maximum(_length(offset_u, offset_v), 1e-9)
        level = np.maximum(level, distance / np.maximum(reach_u, reach_v))
        side = distance - distance / level
        ends = np.maximum(first - along, along - last)
        return -blend(-side, -ends, self.cap)
