"""One-Euro filters for tracked people: steady at rest, with little lag in motion.

Source: Casiez, Roussel, Vogel: "1 Euro Filter", CHI 2012. A low-pass filter whose cutoff grows
with the speed. Differs: rotations are filtered on SO(3) (differences are rotation vectors, steps
are rotations), positions as direction and distance, which works at any angle off the camera's
axis, and the time step is the actual one between timestamps.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from smpler_model.array_types import Floats, Integers
from smpler_model.people.usual_step import UsualStep

_ROTATION_TOLERANCE = 0.5  # of a determinant, which is 1 except for rounding


@dataclass(frozen=True)
class OneEuro:
    """Parameters of a One-Euro filter.

    Attributes:
        cutoff_hz: minimum cutoff frequency, at rest; lower is smoother.
        speed_gain: increase of the cutoff per unit of speed; higher lags less.
        speed_cutoff_hz: cutoff frequency of the low-pass filter of the speed.
    """

    cutoff_hz: float
    speed_gain: float
    speed_cutoff_hz: float = 1.0

    def __post_init__(self) -> None:
        if self.cutoff_hz <= 0 or self.speed_gain < 0 or self.speed_cutoff_hz <= 0:
            raise ValueError(
                "a One-Euro filter needs positive cutoffs and a gain of at least 0, got "
                f"{self}; raise the negative or zero value"
            )


@dataclass(frozen=True)
class SmoothingConfig:
    """How people are smoothed.

    Attributes:
        rotations: filter of joint rotations; speeds are in rad/s.
        bearing: filter of the direction from the camera to the person; speeds are in rad/s.
        depth: filter of the logarithm of the distance; speeds are in 1/s.
        shape_time_s: time over which the shape is averaged, seconds.
        gap_s: the filters of a person unseen for longer are reset, seconds; where images are far
            apart, this time is longer, see `UsualStep.find_gap`.
    """

    rotations: OneEuro = OneEuro(1.5, 2.0)
    bearing: OneEuro = OneEuro(2.0, 10.0)
    depth: OneEuro = OneEuro(0.7, 2.0)
    shape_time_s: float = 3.0
    gap_s: float = 0.5


@dataclass(frozen=True)
class Bodies:
    """n people at one instant.

    Attributes:
        rotations: (n, 24, 3, 3) `parent_from_joint`; the pelvis's in the optical frame.
        betas: (n, 10) shape coefficients.
        translations_m: (n, 3) SMPL's translation in the optical frame, metres.
    """

    rotations: Floats
    betas: Floats
    translations_m: Floats


@dataclass
class _Track:
    """Filter state of one person."""

    stamp_ns: int
    age_s: float
    rotations: Rotation  # 24 joints
    betas: Floats  # (10)
    place: Floats  # (4) unit vector from the camera, logarithm of the distance
    turning: Floats  # (24, 3) rad/s
    moving: Floats  # (4) 1/s


class Smoother:
    """The filters of all people in one camera.

    State is kept per track id. It is reset for a new id, after a gap, when time does not advance
    (a rewound bag), and for invalid people: with values that are not finite, or invalid rotations.
    Such people are returned unchanged. `reset` clears all people, and the usual step between
    images, which defines what counts as a gap.

    Attributes:
        config: the filters' parameters; it may be replaced at any time.
    """

    def __init__(self, config: SmoothingConfig | None = None) -> None:
        self.config = config or SmoothingConfig()
        self._tracks: dict[int, _Track] = {}
        self._step = UsualStep()

    def reset(self) -> None:
        """Reset the filters of all people."""
        self._tracks.clear()
        self._step.reset()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state of n people as arrays, for `restore`."""
        tracks = list(self._tracks.values())
        n = len(tracks)
        k = len(tracks[0].rotations) if n else 0
        return self._step.snapshot() | {
            "ids": np.array(list(self._tracks), np.int64),
            "stamps_ns": np.array([track.stamp_ns for track in tracks], np.int64),
            "ages_s": np.array([track.age_s for track in tracks], np.float64),
            "quaternions": np.array([track.rotations.as_quat() for track in tracks]).reshape(
                n, k, 4
            ),
            "betas": np.array([track.betas for track in tracks]),
            "places": np.array([track.place for track in tracks]),
            "turning": np.array([track.turning for track in tracks]),
            "moving": np.array([track.moving for track in tracks]),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._step.restore(arrays)
        columns = (arrays[name] for name in ("stamps_ns", "ages_s", "quaternions"))
        others = (arrays[name] for name in ("betas", "places", "turning", "moving"))
        rows = zip(arrays["ids"].tolist(), *columns, *others, strict=True)
        self._tracks = {
            track_id: _Track(int(stamp), float(age), Rotation.from_quat(turns), *values)
            for track_id, stamp, age, turns, *values in rows
        }

    def smooth(self, stamp_ns: int, ids: Integers, bodies: Bodies) -> Bodies:
        """Filter the people in one frame.

        Args:
            stamp_ns: timestamp of the frame, nanoseconds.
            ids: (n) track ids of the people.
            bodies: bodies of the people, as estimated.

        Returns:
            The people, smoothed, in the same order.
        """
        gap_s = self._step.find_gap(stamp_ns, self.config.gap_s)
        sound = are_sound(bodies)
        for track_id in ids[~sound].tolist():
            self._tracks.pop(track_id, None)
        rows = np.flatnonzero(sound).tolist()
        for row in rows:
            measured = _start(stamp_ns, bodies, row)
            track_id = int(ids[row])
            previous = self._tracks.get(track_id)
            self._tracks[track_id] = (
                measured if previous is None else self._advance(previous, measured, gap_s)
            )
        self._forget_before(stamp_ns, gap_s)
        if not rows:
            return bodies
        tracks = [self._tracks[int(ids[row])] for row in rows]
        places = np.stack([track.place for track in tracks])
        smooth = Bodies(bodies.rotations.copy(), bodies.betas.copy(), bodies.translations_m.copy())
        smooth.rotations[rows] = np.stack([track.rotations.as_matrix() for track in tracks])
        smooth.betas[rows] = np.stack([track.betas for track in tracks])
        smooth.translations_m[rows] = places[:, :3] * np.exp(places[:, 3:])
        return smooth

    def _advance(self, previous: _Track, measured: _Track, gap_s: float) -> _Track:
        config = self.config
        dt = (measured.stamp_ns - previous.stamp_ns) / 1e9
        if not 0 < dt <= gap_s:
            return measured
        turn = (previous.rotations.inv() * measured.rotations).as_rotvec()  # (24, 3)
        turn, turning = one_euro_step(config.rotations, turn, previous.turning, dt)
        step = measured.place - previous.place
        bearing, moving = one_euro_step(config.bearing, step[:3], previous.moving[:3], dt)
        depth, receding = one_euro_step(config.depth, step[3:], previous.moving[3:], dt)
        direction = previous.place[:3] + bearing
        direction /= np.linalg.norm(direction)
        age = previous.age_s + dt
        weight = dt / min(age + dt, config.shape_time_s)  # first a plain mean, then a slow one
        return _Track(
            stamp_ns=measured.stamp_ns,
            age_s=age,
            rotations=previous.rotations * Rotation.from_rotvec(turn),
            betas=previous.betas + min(weight, 1.0) * (measured.betas - previous.betas),
            place=np.concatenate([direction, previous.place[3:] + depth]),
            turning=turning,
            moving=np.concatenate([moving, receding]),
        )

    def _forget_before(self, stamp_ns: int, gap_s: float) -> None:
        gap_ns = gap_s * 1e9
        self._tracks = {
            track_id: track
            for track_id, track in self._tracks.items()
            if abs(stamp_ns - track.stamp_ns) <= gap_ns
        }


def one_euro_step(
    parameters: OneEuro, difference: Floats, speed: Floats, dt_s: float
) -> tuple[Floats, Floats]:
    """Return the step towards a new measurement, and the new speed.

    Args:
        parameters: parameters of the filter.
        difference: (..., d) from the last filtered value to the new measurement.
        speed: (..., d) previous speed, per second.
        dt_s: time since the last value, seconds, positive.

    Returns:
        (..., d) the part of `difference` to apply, and (..., d) the new speed. Cutoffs depend on
        the norm over d.
    """
    speed = speed + low_pass_weight(parameters.speed_cutoff_hz, dt_s) * (difference / dt_s - speed)
    rate = np.linalg.norm(speed, axis=-1, keepdims=True)
    cutoff_hz = parameters.cutoff_hz + parameters.speed_gain * rate
    return difference * low_pass_weight(cutoff_hz, dt_s), speed


def low_pass_weight(cutoff_hz: Floats | float, dt_s: float) -> Floats | float:
    """Return the weight of a new value in a first-order low-pass filter."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff_hz * dt_s))


def are_sound(bodies: Bodies) -> NDArray[np.bool_]:
    """Return (n,) whether people are valid bodies.

    All numbers are finite, rotations are proper, and the translation is not zero.
    """
    parts = (bodies.rotations, bodies.betas, bodies.translations_m)
    finite = np.all([np.isfinite(part).all(tuple(range(1, part.ndim))) for part in parts], axis=0)
    rotations = np.where(finite[:, None, None, None], bodies.rotations, np.eye(3))
    turned = (np.abs(np.linalg.det(rotations) - 1) < _ROTATION_TOLERANCE).all(1)
    return np.asarray(finite & turned & (bodies.translations_m != 0).any(1))


def _start(stamp_ns: int, bodies: Bodies, index: int) -> _Track:
    translation = bodies.translations_m[index]
    distance = np.linalg.norm(translation)
    return _Track(
        stamp_ns=stamp_ns,
        age_s=0.0,
        rotations=Rotation.from_matrix(bodies.rotations[index]),
        betas=bodies.betas[index],
        place=np.array([*(translation / distance), np.log(distance)]),
        turning=np.zeros((len(bodies.rotations[index]), 3)),
        moving=np.zeros(4),
    )
