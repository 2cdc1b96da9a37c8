"""Lens distortion and its inverse: the models of `sensor_msgs/CameraInfo`, which are OpenCV's.

A model maps points (x, y) of the plane z = 1 to distorted points on it; focal lengths and
principal point belong to the camera. The models are polynomials, which may turn and fold back: a
lens images what lies within the first turning point, and beyond it nothing is defined. There, both
directions return NaN; within it, they invert each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.polynomial.polynomial import (
    polyadd,
    polyder,
    polymul,
    polymulx,
    polyroots,
    polysub,
    polytrim,
)
from numpy.typing import NDArray

from smpler_model.array_types import Floats

_MOST_COEFFICIENTS = 14
_TABLE_ROWS = 1024  # of the table of initial guesses
_DIRECTIONS = 32  # in which folds are searched
_STEPS = 25  # of Newton's method, which takes about five unless close to a fold
_EXACT = 1e-11  # on the plane z = 1: less than a billionth of a pixel
_WIDEST_RAD = math.pi / 2  # a ray at right angles to the axis does not meet the plane


class Distortion(Protocol):
    """The distortion of one lens.

    Attributes:
        reach_rad: largest angle off the axis that the lens images; at most a right angle.
    """

    reach_rad: float

    def bend(self, plane: Floats) -> Floats:
        """Distort points (n, 2) of the plane z = 1; NaN beyond the reach."""

    def straighten(self, bent: Floats) -> Floats:
        """Undistort points (n, 2); NaN where nothing is imaged."""


@lru_cache(maxsize=64)  # a camera is built for each image, with the same few lenses
def distortion_of(model: str, coefficients: tuple[float, ...]) -> Distortion:
    """Return the distortion for a model, a key of `lenses.COEFFICIENT_COUNTS`."""
    if model == "none":
        return Pinhole()
    return Fisheye(coefficients) if model == "equidistant" else Polynomials(coefficients)


class Pinhole:
    """No lens."""

    reach_rad = _WIDEST_RAD

    def bend(self, plane: Floats) -> Floats:
        """Return the points (n, 2) unchanged."""
        return plane

    def straighten(self, bent: Floats) -> Floats:
        """Return the points (n, 2) unchanged."""
        return bent


class Fisheye:
    """`equidistant`: an odd polynomial of the angle off the axis, equal in all directions.

    Source: Kannala and Brandt, "A Generic Camera Model and Calibration Method", PAMI 2006; with
    OpenCV's four terms.
    """

    def __init__(self, coefficients: Sequence[float]) -> None:
        self._gain = np.array([1.0, *coefficients])
        self._slope = self._gain * (1, 3, 5, 7, 9)
        self.reach_rad = min(math.sqrt(_first_root(self._slope)), _WIDEST_RAD)
        self._table = np.linspace(0, self.reach_rad, _TABLE_ROWS)
        self._bent_table = self._bend(self._table)

    def bend(self, plane: Floats) -> Floats:
        """Distort points (n, 2) of the plane z = 1; NaN beyond the reach."""
        radii = np.linalg.norm(plane, axis=1)
        angles = np.arctan(radii)
        bent = np.where(angles < self.reach_rad, self._bend(angles), np.nan)
        return _at_radius(plane, radii, bent)

    def straighten(self, bent: Floats) -> Floats:
        """Undistort points (n, 2); NaN where nothing is imaged."""
        radii = np.linalg.norm(bent, axis=1)
        rows = np.searchsorted(self._bent_table, radii).clip(1, _TABLE_ROWS - 1)
        low, high = self._table[rows - 1], self._table[rows]
        angles = (low + high) / 2
        for _ in range(_STEPS):
            missing = radii - self._bend(angles)
            if not (np.abs(missing) > _EXACT / 10).any():
                break
            slopes = np.maximum(_value(self._slope, angles**2), _EXACT)
            angles = np.clip(angles + missing / slopes, low, high)
        exact = np.abs(radii - self._bend(angles)) < _EXACT
        shown = exact & (angles < self.reach_rad)
        return _at_radius(bent, radii, np.where(shown, np.tan(angles), np.nan))

    def _bend(self, angles: Floats) -> Floats:
        return angles * _value(self._gain, angles**2)


class Polynomials:
    """`plumb_bob` and `rational_polynomial`: radial, tangential, thin prism, tilted sensor.

    Coefficients are k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, tau_x, tau_y; missing ones are
    zero. Source: Brown, "Close-range camera calibration", 1971, and OpenCV's manual.
    """

    def __init__(self, coefficients: Sequence[float]) -> None:
        values = np.zeros(_MOST_COEFFICIENTS)
        values[: len(coefficients)] = coefficients
        k1, k2, self._p1, self._p2, k3, k4, k5, k6, *prism, tilt_x, tilt_y = values.tolist()
        # All polynomials are in the squared radius.
        self._above, self._below = np.array([1.0, k1, k2, k3]), np.array([1.0, k4, k5, k6])
        self._above_slope, self._below_slope = polyder(self._above), polyder(self._below)
        self._prism = np.array([[0, *prism[:2]], [0, *prism[2:]]])
        self._tilt = _tilt(tilt_x, tilt_y)
        self._reach = self._find_radial_turn()
        if any((self._p1, self._p2, *prism)):
            self._reach = self._find_fold()
        self.reach_rad = math.atan(self._reach)
        self._table = np.tan(np.linspace(0, self.reach_rad * (1 - 1e-6), _TABLE_ROWS))
        self._bent_table = self._table * self._gain(self._table**2)
        # Where the slope decreases outwards, towards a fold, as opposed to a pole.
        self._slackens = np.gradient(np.gradient(self._bent_table, self._table), self._table) < 0

    def bend(self, plane: Floats) -> Floats:
        """Distort points (n, 2) of the plane z = 1; NaN beyond the reach."""
        bent = self._bend(plane)[0]
        flat = np.column_stack([bent, np.ones(len(bent))]) @ self._tilt.T
        shown = self._shows(plane) & (flat[:, 2:] > 0)  # in front of a tilted sensor
        return np.where(shown, flat[:, :2] / flat[:, 2:], np.nan)

    def straighten(self, bent: Floats) -> Floats:
        """Undistort points (n, 2); NaN where nothing is imaged."""
        flat = np.column_stack([bent, np.ones(len(bent))]) @ np.linalg.inv(self._tilt).T
        wanted = flat[:, :2] / flat[:, 2:]
        plane, straight = self._guess(wanted), np.full(wanted.shape, np.nan)
        left = np.arange(len(wanted))  # points that have not converged
        with np.errstate(all="ignore"):  # points that leave the reach become NaN
            for _ in range(_STEPS):
                got, slopes = self._bend(plane)
                missing = wanted[left] - got
                exact = np.abs(missing).max(1) < _EXACT * (1 + np.abs(got).max(1))
                shown = exact & self._shows(plane)[:, 0]
                straight[left[shown]] = plane[shown]
                on = ~exact & np.isfinite(missing).all(1)
                if not on.any():
                    break
                left, plane = left[on], plane[on] + _solve(slopes[..., on], missing[on])
        return straight

    def _guess(self, wanted: Floats) -> Floats:
        """Return initial guesses for undistorting points (n, 2), from the radial terms alone."""
        radii = np.linalg.norm(wanted, axis=1)
        rows = np.searchsorted(self._bent_table, radii).clip(0, _TABLE_ROWS - 1)
        guess = np.interp(radii, self._bent_table, self._table)
        # From slightly inside, Newton's method climbs to a fold; from outside it leaps over it.
        return _at_radius(wanted, radii, guess * np.where(self._slackens[rows], 0.9, 1.0))

    def _find_radial_turn(self) -> float:
        """Return the radius on the plane z = 1 where the radial terms turn or have a pole."""
        above, below = self._above, self._below
        rise = polyadd(above, 2 * polymulx(self._above_slope))
        # d/dr of r a / b is this over b^2.
        turn = polysub(polymul(rise, below), 2 * polymul(above, polymulx(self._below_slope)))
        return math.sqrt(min(_first_root(turn), _first_root(below)))

    def _find_fold(self) -> float:
        """Return the radius up to which no direction folds, with all terms."""
        widest_rad = math.atan(self._reach)
        radii = np.tan(np.linspace(0, widest_rad * (1 - 1e-6), _TABLE_ROWS))
        around = np.linspace(0, 2 * np.pi, _DIRECTIONS, endpoint=False)
        plane = radii[:, None, None] * np.stack([np.cos(around), np.sin(around)], 1)
        (a, b), (c, d) = self._bend(plane.reshape(-1, 2))[1]
        folded = (a * d <= b * c).reshape(_TABLE_ROWS, _DIRECTIONS).any(1)
        return float(radii[folded.argmax() - 1]) if folded.any() else self._reach

    def _shows(self, plane: Floats) -> NDArray[np.bool_]:
        """Return (n, 1) whether points lie within the reach."""
        return np.asarray(np.linalg.norm(plane, axis=1, keepdims=True) < self._reach)

    def _bend(self, plane: Floats) -> tuple[Floats, Floats]:
        """Distort points (n, 2) for an upright sensor; also return the derivatives (2, 2, n)."""
        x, y = plane.T
        p1, p2, square = self._p1, self._p2, x * x + y * y
        below = _value(self._below, square)
        gain = _value(self._above, square) / below
        slope = _value(self._above_slope, square) - gain * _value(self._below_slope, square)
        slope = 2 * slope / below
        prism = np.stack([_value(row, square) for row in self._prism])  # (2, n)
        prism_slope = np.stack([_value(polyder(row), square) for row in self._prism])
        u = x * gain + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        v = y * gain + p1 * (square + 2 * y * y) + 2 * p2 * x * y
        mixed = x * y * slope + 2 * p1 * x + 2 * p2 * y
        slopes = np.array(
            [
                [gain + x * x * slope + 2 * p1 * y + 6 * p2 * x, mixed],
                [mixed, gain + y * y * slope + 6 * p1 * y + 2 * p2 * x],
            ]
        )
        return (np.stack([u, v]) + prism).T, slopes + 2 * prism_slope[:, None] * plane.T

    def _gain(self, square: Floats) -> Floats:
        return _value(self._above, square) / _value(self._below, square)


def _value(coefficients: Floats, x: Floats) -> Floats:
    """Return a polynomial's values at (n); coefficients are in ascending order."""
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1].tolist():
        value *= x
        value += coefficient
    return value


def _first_root(coefficients: Floats) -> float:
    """Return the smallest positive real root; infinity if there is none."""
    roots = polyroots(polytrim(coefficients))
    real = roots[np.abs(roots.imag) <= 1e-12 * np.abs(roots)].real
    return float(min(real[real > 0], default=math.inf))


def _at_radius(points: Floats, radii: Floats, wanted: Floats) -> Floats:
    """Move points (n, 2) of radii (n) along their rays to other radii (n)."""
    scale = np.divide(wanted, radii, out=np.ones_like(radii), where=radii > 0)
    return np.asarray(points * scale[:, None])


def _solve(matrices: Floats, vectors: Floats) -> Floats:
    """Solve (2, 2, n) systems for (n, 2); a singular one gives infinity or NaN, no error."""
    (a, b), (c, d) = matrices
    u, v = vectors.T
    return np.asarray(np.stack([d * u - b * v, a * v - c * u], 1) / (a * d - b * c)[:, None])


def _tilt(tilt_x: float, tilt_y: float) -> Floats:
    """Return the (3, 3) homography from an upright sensor to a tilted one, angles in rad."""
    sin_x, cos_x = math.sin(tilt_x), math.cos(tilt_x)
    sin_y, cos_y = math.sin(tilt_y), math.cos(tilt_y)
    about_x = np.array([[1, 0, 0], [0, cos_x, sin_x], [0, -sin_x, cos_x]])
    about_y = np.array([[cos_y, 0, -sin_y], [0, 1, 0], [sin_y, 0, cos_y]])
    turn = about_y @ about_x
    onto_sensor = np.array([[turn[2, 2], 0, -turn[0, 2]], [0, turn[2, 2], -turn[1, 2]], [0, 0, 1]])
    return np.asarray(onto_sensor @ turn)
