"""Positions and velocities of tracked people, standing or walking, in a fixed frame.

Each person has two interacting Kalman filters, one for each of the `motion_models`. Positions are
measured in the fixed frame (z up), so a camera that moves does not move people. Most of a
measurement's error comes from the pose or the view and lasts as long as these do, so that
averaging over images helps little: it is part of the state, a first-order Gauss-Markov process.
Its size changes with the view, for example when the image's edge cuts a body: when it shrinks, the
error so far is scaled down; when it grows, an independent error is added.

Source: Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation",
2001, sections 8.2 (noise that is correlated over time) and 11.6.6 (interacting multiple model
estimator); covariances are updated in Joseph form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.people.motion_models import (
    POSITION,
    VELOCITY,
    Beliefs,
    MotionConfig,
    advance,
    mix,
    newcomers,
    nobody,
)
from smpler_model.people.usual_step import UsualStep

_SIZE = 9  # of a state: position, velocity, error that lasts
_MOTION, _LASTING = slice(0, 6), slice(6, 9)
_MEASURE = np.concatenate([np.eye(3), np.zeros((3, 3)), np.eye(3)], axis=1)  # (3, 9)
_LEAST_M2 = 1e-12
_USUAL = 9.0  # squared Mahalanobis distance that 97 of 100 measurements stay below


@dataclass(frozen=True)
class PositionFilterConfig:
    """How people move, and the errors of their measured positions.

    Attributes:
        motion: how people move.
        gap_s: a person unseen for longer starts anew, seconds; where images are far apart, this
            time is longer, see `UsualStep.find_gap`.
        lasting_share: share of a measurement's variance that lasts, 0 to 1.
        lasting_s: time after which the correlation of what lasts has fallen to 1 / e, seconds.
    """

    motion: MotionConfig = field(default_factory=MotionConfig)
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
    advance (a rewound bag). `reset` clears all people, and the usual step between images, which
    defines what counts as a gap.
    """

    def __init__(self, config: PositionFilterConfig | None = None) -> None:
        self._config = config or PositionFilterConfig()
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._ids = np.empty(0, np.int64)
        self._stamps_ns = np.empty(0, np.int64)
        self._beliefs = nobody(_SIZE)
        self._lasting_m2 = np.empty((0, 3, 3))
        self._step = UsualStep()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        return self._step.snapshot() | {
            "ids": self._ids,
            "stamps_ns": self._stamps_ns,
            "chances": self._beliefs.chances,
            "states": self._beliefs.states,
            "covariances": self._beliefs.covariances,
            "lasting_m2": self._lasting_m2,
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._step.restore(arrays)
        self._ids = arrays["ids"].astype(np.int64)
        self._stamps_ns = arrays["stamps_ns"].astype(np.int64)
        believed = (arrays[name] for name in ("chances", "states", "covariances"))
        self._beliefs = Beliefs(*(values.astype(np.float64) for values in believed))
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
            The people in the same order. A new person who is not seen has the given position.
        """
        gap_s = self._step.find_gap(stamp_ns, self._config.gap_s)
        lasting = self._config.lasting_share * covariances_m2
        beliefs = newcomers(positions_m, _SIZE, self._config.motion)
        spreads = beliefs.covariances
        spreads[..., POSITION, POSITION] = covariances_m2[:, None]
        spreads[..., _LASTING, _LASTING] = lasting[:, None]
        # What is too far to the left makes the position too far to the left.
        spreads[..., POSITION, _LASTING] = spreads[..., _LASTING, POSITION] = -lasting[:, None]
        rows, known, dts = self._find(stamp_ns, ids, gap_s)
        if len(rows):
            predicted = self._predict(known, dts, lasting[rows], are_seen[rows])
            beliefs.put(rows, predicted)
            rows = rows[are_seen[rows]]
            noise = covariances_m2 - lasting
            beliefs.put(rows, _correct(beliefs[rows], positions_m[rows], noise[rows]))
        self._keep(stamp_ns, ids, beliefs, lasting, gap_s)
        means, covariances = beliefs.moments()
        return MotionEstimates(
            means[:, POSITION],
            covariances[:, POSITION, POSITION],
            means[:, VELOCITY],
            covariances[:, VELOCITY, VELOCITY],
        )

    def _find(
        self, stamp_ns: int, ids: Integers, gap_s: float
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
        """Return the rows of people who are known, their rows here, and the time since then, s."""
        rows, known = np.nonzero(ids[:, None] == self._ids)
        dts = (stamp_ns - self._stamps_ns[known]) / 1e9
        usable = (dts > 0) & (dts <= gap_s)
        return rows[usable], known[usable], dts[usable]

    def _predict(
        self,
        known: NDArray[np.intp],
        dts: Floats,
        lasting_m2: Floats,
        are_seen: NDArray[np.bool_],
    ) -> Beliefs:
        """Return the beliefs about m people who are known after steps (m), before they are seen.

        Unseen people neither set off nor stop, as no measurement could show it.
        """
        config, before = self._config, self._lasting_m2[known]
        shrunk = np.sqrt(np.minimum(_size(lasting_m2) / _size(before), 1.0))
        kept = (np.exp(-dts / config.lasting_s) * shrunk)[:, None, None]
        transitions, noise = np.zeros((2, len(known), 2, _SIZE, _SIZE))
        moves = advance(dts, config.motion)
        transitions[..., _MOTION, _MOTION], noise[..., _MOTION, _MOTION] = moves
        transitions[..., _LASTING, _LASTING] = (kept * np.eye(3))[:, None]
        noise[..., _LASTING, _LASTING] = _positive(lasting_m2 - kept**2 * before)[:, None]
        start = self._beliefs[known]
        start.put(are_seen, mix(start[are_seen], dts[are_seen], config.motion))
        return Beliefs(
            start.chances,
            np.einsum("nmij,nmj->nmi", transitions, start.states),
            transitions @ start.covariances @ transitions.swapaxes(-1, -2) + noise,
        )

    def _keep(
        self, stamp_ns: int, ids: Integers, beliefs: Beliefs, lasting_m2: Floats, gap_s: float
    ) -> None:
        """Store these people, and others who were seen lately."""
        age_s = np.abs(stamp_ns - self._stamps_ns) / 1e9
        others = ~np.isin(self._ids, ids) & (age_s <= gap_s)
        self._ids = np.concatenate([ids, self._ids[others]])
        now = np.full(len(ids), stamp_ns, np.int64)
        self._stamps_ns = np.concatenate([now, self._stamps_ns[others]])
        self._beliefs = beliefs.join(self._beliefs[others])
        self._lasting_m2 = np.concatenate([lasting_m2, self._lasting_m2[others]])


def _correct(predicted: Beliefs, measured_m: Floats, noise_m2: Floats) -> Beliefs:
    """Return beliefs after measurements (n, 3) of position with noise (n, 3, 3).

    Measured is the position with the error that lasts. A measurement that is farther away than
    errors explain counts less, as if it were noisier; models are compared with that noise.
    """
    states, covariances = predicted.states, predicted.covariances
    differences = measured_m[:, None] - states @ _MEASURE.T  # (n, 2, 3)
    across = _MEASURE @ covariances  # (n, 2, 3, 9)
    explained = across @ _MEASURE.T
    innovations = explained + noise_m2[:, None]
    weighted = np.linalg.solve(innovations, differences[..., None])[..., 0]
    squared = (differences * weighted).sum(-1)  # (n, 2)
    grown = np.maximum(squared / _USUAL, 1.0)
    noise = noise_m2[:, None] + (grown - 1)[..., None, None] * innovations
    innovations = grown[..., None, None] * innovations
    gains = np.linalg.solve(innovations, across).swapaxes(-1, -2)  # (n, 2, 9, 3)
    rest = np.eye(_SIZE) - gains @ _MEASURE
    fits = -squared / grown - np.linalg.slogdet(innovations).logabsdet
    likely = predicted.chances * np.exp((fits - fits.max(1, keepdims=True)) / 2)
    return Beliefs(
        likely / likely.sum(1, keepdims=True),
        states + np.einsum("nmij,nmj->nmi", gains, differences),
        rest @ covariances @ rest.swapaxes(-1, -2) + gains @ noise @ gains.swapaxes(-1, -2),
    )


def _size(covariances: Floats) -> Floats:
    """Return the variances (n) along all axes together, not zero."""
    total: Floats = np.trace(covariances, axis1=1, axis2=2)
    return np.maximum(total, _LEAST_M2)


def _positive(matrices: Floats) -> Floats:
    """Return symmetric matrices (n, 3, 3) without what is negative: nearest covariances."""
    values, vectors = np.linalg.eigh(matrices)
    parts: Floats = (vectors * np.maximum(values, 0)[:, None]) @ vectors.swapaxes(1, 2)
    return parts
