"""Positions and velocities of tracked people in a fixed frame: constant-velocity Kalman filters.

People keep their velocity except for accelerations that are white noise. Positions are measured in
the fixed frame (z up), so a camera that moves does not move people. Most of a measurement's error
is that of a pose or a view and lasts as long as these do, so that averaging over images helps
little: it is part of the state, a first-order Gauss-Markov process. How large it is changes with
the view, as when the image's edge cuts a body: what it was is scaled down when it gets smaller,
and something independent is added when it grows.

Source: Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation",
2001, sections 6.2.2 (continuous white noise acceleration) and 8.2 (noise that is correlated over
time); covariances are updated in Joseph form.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers

_SIZE = 9  # of a state: position, velocity, error that lasts
_MEASURE = np.concatenate([np.eye(3), np.zeros((3, 3)), np.eye(3)], axis=1)  # (3, 9)
_LEAST_M2 = 1e-12
_USUAL = 9.0  # squared Mahalanobis distance that 97 of 100 measurements stay below


@dataclass(frozen=True)
class PositionFilterConfig:
    """How people move.

    Attributes:
        acceleration: spectral density of the acceleration along x, y and z, m^2 / s^3.
        speed_m_s: standard deviation of the velocity of a new person along x, y and z.
        gap_s: a person unseen for longer starts anew, seconds.
        lasting_share: share of a measurement's variance that lasts, 0 to 1.
        lasting_s: time after which the correlation of what lasts has fallen to 1 / e, seconds.
    """

    acceleration: tuple[float, float, float] = (0.05, 0.05, 0.02)
    speed_m_s: tuple[float, float, float] = (1.0, 1.0, 0.2)
    gap_s: float = 1.5
    lasting_share: float = 0.6
    lasting_s: float = 5.0


@dataclass(frozen=True)
class MotionEstimates:
    """Filtered positions and velocities of n people, as the filter believes them.

    Attributes:
        positions_m: (n, 3).
        position_covariances_m2: (n, 3, 3).
        velocities_m_s: (n, 3).
        velocity_covariances_m2_s2: (n, 3, 3).
    """

    positions_m: Floats
    position_covariances_m2: Floats
    velocities_m_s: Floats
    velocity_covariances_m2_s2: Floats


class PositionFilter:
    """The filters of all people in one camera.

    State is kept per track id. It is reset for a new id, after a gap, and when time does not
    advance (a rewound bag).
    """

    def __init__(self, config: PositionFilterConfig | None = None) -> None:
        self._config = config or PositionFilterConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._ids = np.empty(0, np.int64)
        self._stamps_ns = np.empty(0, np.int64)
        self._states = np.empty((0, _SIZE))
        self._covariances = np.empty((0, _SIZE, _SIZE))
        self._lasting_m2 = np.empty((0, 3, 3))

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        return {
            "ids": self._ids,
            "stamps_ns": self._stamps_ns,
            "states": self._states,
            "covariances": self._covariances,
            "lasting_m2": self._lasting_m2,
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._ids = arrays["ids"].astype(np.int64)
        self._stamps_ns = arrays["stamps_ns"].astype(np.int64)
        self._states = arrays["states"].astype(np.float64)
        self._covariances = arrays["covariances"].astype(np.float64)
        self._lasting_m2 = arrays["lasting_m2"].astype(np.float64)

    def update(
        self,
        stamp_ns: int,
        ids: Integers,
        positions_m: Floats,
        covariances_m2: Floats,
        are_seen: NDArray[np.bool_],
    ) -> MotionEstimates:
        """Filter the people in one image.

        Args:
            stamp_ns: timestamp of the image, nanoseconds.
            ids: (n) track ids, distinct.
            positions_m: (n, 3) as measured, in the fixed frame.
            covariances_m2: (n, 3, 3) of the measurements' errors.
            are_seen: (n) whether a person is in the image; others keep their velocity.

        Returns:
            The people in the same order. Somebody unknown who is not seen has the given position.
        """
        lasting = self._config.lasting_share * covariances_m2
        noise = covariances_m2 - lasting
        states, covariances, are_new = self._predict(stamp_ns, ids, lasting)
        states[are_new, :3] = positions_m[are_new]
        covariances[are_new, :3, :3] = covariances_m2[are_new]
        # What is too far to the left makes the position too far to the left.
        covariances[are_new, :3, 6:] = covariances[are_new, 6:, :3] = -lasting[are_new]
        measured = are_seen & ~are_new
        states[measured], covariances[measured] = _correct(
            states[measured], covariances[measured], positions_m[measured], noise[measured]
        )
        self._keep(stamp_ns, ids, states, covariances, lasting)
        return MotionEstimates(
            states[:, :3], covariances[:, :3, :3], states[:, 3:6], covariances[:, 3:6, 3:6]
        )

    def _predict(
        self, stamp_ns: int, ids: Integers, lasting_m2: Floats
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return states (n, 9), covariances (n, 9, 9), and who starts anew (n)."""
        n, config = len(ids), self._config
        states, covariances = np.zeros((n, _SIZE)), np.zeros((n, _SIZE, _SIZE))
        covariances[:, 3:6, 3:6] = np.diag(config.speed_m_s) ** 2
        covariances[:, 6:, 6:] = lasting_m2
        rows, known = np.nonzero(ids[:, None] == self._ids)
        dts = (stamp_ns - self._stamps_ns[known]) / 1e9
        usable = (dts > 0) & (dts <= config.gap_s)
        rows, known, dts = rows[usable], known[usable], dts[usable]
        before, now = self._lasting_m2[known], lasting_m2[rows]
        shrunk = np.sqrt(np.minimum(_size(now) / _size(before), 1.0))
        kept = (np.exp(-dts / config.lasting_s) * shrunk)[:, None, None]
        advance = np.broadcast_to(np.eye(_SIZE), (len(rows), _SIZE, _SIZE)).copy()
        advance[:, :3, 3:6] = dts[:, None, None] * np.eye(3)
        advance[:, 6:, 6:] *= kept
        density = np.diag(config.acceleration)
        noise = np.zeros((len(rows), _SIZE, _SIZE))
        noise[:, :3, :3] = (dts**3 / 3)[:, None, None] * density
        noise[:, :3, 3:6] = noise[:, 3:6, :3] = (dts**2 / 2)[:, None, None] * density
        noise[:, 3:6, 3:6] = dts[:, None, None] * density
        noise[:, 6:, 6:] = _positive(now - kept**2 * before)
        states[rows] = np.einsum("nij,nj->ni", advance, self._states[known])
        covariances[rows] = advance @ self._covariances[known] @ advance.swapaxes(1, 2) + noise
        are_new = np.ones(n, np.bool_)
        are_new[rows] = False
        return states, covariances, are_new

    def _keep(
        self,
        stamp_ns: int,
        ids: Integers,
        states: Floats,
        covariances: Floats,
        lasting_m2: Floats,
    ) -> None:
        """Store these people, and others who were seen lately."""
        age_s = np.abs(stamp_ns - self._stamps_ns) / 1e9
        others = ~np.isin(self._ids, ids) & (age_s <= self._config.gap_s)
        self._ids = np.concatenate([ids, self._ids[others]])
        now = np.full(len(ids), stamp_ns, np.int64)
        self._stamps_ns = np.concatenate([now, self._stamps_ns[others]])
        self._states = np.concatenate([states, self._states[others]])
        self._covariances = np.concatenate([covariances, self._covariances[others]])
        self._lasting_m2 = np.concatenate([lasting_m2, self._lasting_m2[others]])


def _correct(
    states: Floats, covariances: Floats, measured: Floats, noise: Floats
) -> tuple[Floats, Floats]:
    """Return states (n, 9) and covariances (n, 9, 9) after measurements (n, 3) of position.

    Measured is the position with the error that lasts. A measurement that is farther away than
    errors explain counts less, as if it were noisier.
    """
    difference = measured - states @ _MEASURE.T
    across = _MEASURE @ covariances  # (n, 3, 9)
    explained = across @ _MEASURE.T
    innovation = explained + noise
    squared = (difference * np.linalg.solve(innovation, difference[..., None])[..., 0]).sum(1)
    excess = np.maximum(squared / _USUAL, 1.0) - 1
    noise = noise + excess[:, None, None] * innovation
    gains = np.linalg.solve(explained + noise, across).swapaxes(1, 2)  # (n, 9, 3)
    states = states + np.einsum("nij,nj->ni", gains, difference)
    rest = np.eye(_SIZE) - gains @ _MEASURE
    covariances = rest @ covariances @ rest.swapaxes(1, 2) + gains @ noise @ gains.swapaxes(1, 2)
    return states, covariances


def _size(covariances: Floats) -> Floats:
    """Return the variances (n) along all axes together, not zero."""
    total: Floats = np.trace(covariances, axis1=1, axis2=2)
    return np.maximum(total, _LEAST_M2)


def _positive(matrices: Floats) -> Floats:
    """Return symmetric matrices (n, 3, 3) without what is negative: nearest covariances."""
    values, vectors = np.linalg.eigh(matrices)
    parts: Floats = (vectors * np.maximum(values, 0)[:, None]) @ vectors.swapaxes(1, 2)
    return parts
