"""Two models of a person's motion, standing and walking, and the transitions between them.

A walking person keeps their velocity, except for accelerations that are white noise. A standing
person has none: what looks like a velocity is sway, which is independent from image to image. A
single model would have to react as fast as walking requires, and would then take every slowly
drifting error for motion of a standing person. Here each model is weighted by how well its
predictions fit the measurements, and people may set off and stop at any time.

Source: Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation",
2001, sections 6.2.2 (continuous white noise acceleration) and 11.6.6 (interacting multiple model
estimator). Differs: a person who sets off has an unknown speed at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats

STANDS, WALKS = 0, 1
"""Indices of the models."""

POSITION, VELOCITY = slice(0, 3), slice(3, 6)
"""Where a state has the two; what follows them belongs to the measurements."""

_MOTION = 6  # length of both


@dataclass(frozen=True)
class MotionConfig:
    """How people move along x, y and z.

    Attributes:
        acceleration: spectral density of a walking person's acceleration, m^2 / s^3.
        speed_m_s: standard deviation of the velocity of a new person, if they walk.
        sway_m_s: standard deviation of a standing person's velocity.
        sway_m2_s: spectral density of this velocity, which is white noise.
        set_off_m_s: standard deviation of the velocity of a person who sets off.
        set_off_hz: rate at which standing people set off.
        stop_hz: rate at which walking people stop.
        standing: probability that a new person stands, 0 to 1.
    """

    acceleration: tuple[float, float, float] = (0.05, 0.05, 0.02)
    speed_m_s: tuple[float, float, float] = (1.0, 1.0, 0.2)
    sway_m_s: tuple[float, float, float] = (0.05, 0.05, 0.05)
    sway_m2_s: tuple[float, float, float] = (1e-4, 1e-4, 1e-4)
    set_off_m_s: tuple[float, float, float] = (0.2, 0.2, 0.05)
    set_off_hz: float = 0.5
    stop_hz: float = 0.05
    standing: float = 0.9


@dataclass(frozen=True)
class Beliefs:
    """What either model believes about n people.

    Attributes:
        chances: (n, 2) probabilities of the models.
        states: (n, 2, s) by the models.
        covariances: (n, 2, s, s) of the states.
    """

    chances: Floats
    states: Floats
    covariances: Floats

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Beliefs":
        """Return some people."""
        return Beliefs(self.chances[rows], self.states[rows], self.covariances[rows])

    def put(self, rows: NDArray[np.bool_] | NDArray[np.intp], others: "Beliefs") -> None:
        """Replace the beliefs about some people."""
        self.chances[rows] = others.chances
        self.states[rows] = others.states
        self.covariances[rows] = others.covariances

    def join(self, others: "Beliefs") -> "Beliefs":
        """Return these people, then others."""
        return Beliefs(
            np.concatenate([self.chances, others.chances]),
            np.concatenate([self.states, others.states]),
            np.concatenate([self.covariances, others.covariances]),
        )

    def moments(self) -> tuple[Floats, Floats]:
        """Return means (n, s) and covariances (n, s, s), whichever model is right."""
        means = (self.chances[..., None] * self.states).sum(1)
        spreads = self.covariances + _outer(self.states - means[:, None])
        return means, (self.chances[..., None, None] * spreads).sum(1)


def nobody(size: int) -> Beliefs:
    """Return beliefs about no people, for states of a size."""
    return Beliefs(np.empty((0, 2)), np.empty((0, 2, size)), np.empty((0, 2, size, size)))


def newcomers(positions_m: Floats, size: int, config: MotionConfig) -> Beliefs:
    """Return beliefs about people at positions (n, 3), whose covariances are still missing."""
    n = len(positions_m)
    states, covariances = np.zeros((n, 2, size)), np.zeros((n, 2, size, size))
    states[..., POSITION] = positions_m[:, None]
    covariances[:, STANDS, VELOCITY, VELOCITY] = np.diag(config.sway_m_s) ** 2
    covariances[:, WALKS, VELOCITY, VELOCITY] = np.diag(config.speed_m_s) ** 2
    chances = np.tile([config.standing, 1 - config.standing], (n, 1))
    return Beliefs(chances, states, covariances)


def mix(before: Beliefs, dts: Floats, config: MotionConfig) -> Beliefs:
    """Return what either model starts from, as people may have set off or stopped meanwhile.

    Args:
        before: the beliefs about n people.
        dts: (n) time since then, seconds.
        config: how people move.
    """
    set_off, stop = config.set_off_hz, config.stop_hz
    settled = np.array([stop, set_off]) / (set_off + stop)  # (2) in the long run
    kept = np.exp(-(set_off + stop) * dts)[:, None, None]
    passing = kept * np.eye(2) + (1 - kept) * settled  # (n, 2 before, 2 after)
    joint = before.chances[:, :, None] * passing
    chances = joint.sum(1)
    weights = joint / chances[:, None]
    states = np.einsum("nba,nbi->nai", weights, before.states)
    spreads = _outer(before.states[:, :, None] - states[:, None])  # (n, 2, 2, s, s)
    spreads += before.covariances[:, :, None]
    spreads[:, STANDS, WALKS, VELOCITY, VELOCITY] += np.diag(config.set_off_m_s) ** 2
    return Beliefs(chances, states, np.einsum("nba,nbaij->naij", weights, spreads))


def advance(dts: Floats, config: MotionConfig) -> tuple[Floats, Floats]:
    """Return transitions of position and velocity (n, 2, 6, 6), and covariances of their noise.

    Args:
        dts: (n) steps, seconds.
        config: how people move.
    """
    transitions, noise = np.zeros((2, len(dts), 2, _MOTION, _MOTION))
    steps, density = dts[:, None, None], np.diag(config.acceleration)
    transitions[..., POSITION, POSITION] = np.eye(3)
    transitions[:, WALKS, POSITION, VELOCITY] = steps * np.eye(3)
    transitions[:, WALKS, VELOCITY, VELOCITY] = np.eye(3)
    noise[:, WALKS, POSITION, POSITION] = steps**3 / 3 * density
    noise[:, WALKS, POSITION, VELOCITY] = steps**2 / 2 * density
    noise[:, WALKS, VELOCITY, POSITION] = steps**2 / 2 * density
    noise[:, WALKS, VELOCITY, VELOCITY] = steps * density
    noise[:, STANDS, POSITION, POSITION] = steps * np.diag(config.sway_m2_s)
    noise[:, STANDS, VELOCITY, VELOCITY] = np.diag(config.sway_m_s) ** 2
    return transitions, noise


def _outer(vectors: Floats) -> Floats:
    return vectors[..., :, None] * vectors[..., None, :]
