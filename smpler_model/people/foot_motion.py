"""How fast each foot of tracked people moves in a fixed frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.people.smoothing import low_pass_weight
from smpler_model.people.usual_step import UsualStep

CUTOFF_HZ = 2.0
"""Of the filter of velocities: estimates of one foot differ by centimetres from image to image."""

_GAP_S = 0.5  # after a longer gap, the speed is unknown, unless images are usually farther apart
_NS = 1e-9


@dataclass(frozen=True)
class _Feet:
    """State of one person: positions (2, 3) and velocities (2, 3) of both feet."""

    stamp_ns: int
    places_m: Floats
    velocities_m_s: Floats


class FootMotion:
    """Filters the velocities of the feet of all people in one camera.

    State is kept per track id, with the usual step between images; `reset` clears it.
    """

    def __init__(self) -> None:
        self._known: dict[int, _Feet] = {}
        self._step = UsualStep()

    def reset(self) -> None:
        """Forget everybody."""
        self._known.clear()
        self._step.reset()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state of n people as arrays, for `restore`."""
        feet = list(self._known.values())
        shape = (len(feet), 2, 3)
        return self._step.snapshot() | {
            "ids": np.array(list(self._known), np.int64),
            "stamps_ns": np.array([each.stamp_ns for each in feet], np.int64),
            "places_m": np.array([each.places_m for each in feet]).reshape(shape),
            "velocities_m_s": np.array([each.velocities_m_s for each in feet]).reshape(shape),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._step.restore(arrays)
        names = ("stamps_ns", "places_m", "velocities_m_s")
        rows = zip(arrays["ids"].tolist(), *(arrays[name] for name in names), strict=True)
        self._known = {
            id_: _Feet(int(stamp), places, velocities) for id_, stamp, places, velocities in rows
        }

    def speeds(self, stamp_ns: int, ids: Integers, places_m: Floats) -> Floats:
        """Return the speeds (n, 2) of the left and right feet, m/s; NaN for new people.

        Args:
            stamp_ns: timestamp of the image.
            ids: (n) track ids.
            places_m: (n, 2, 3) of the feet in the fixed frame.
        """
        gap_s = self._step.find_gap(stamp_ns, _GAP_S)
        speeds = np.full(places_m.shape[:2], np.nan)
        for row, id_ in enumerate(ids.tolist()):
            before, velocities = self._known.get(id_), np.zeros((2, 3))
            dt_s = 0.0 if before is None else (stamp_ns - before.stamp_ns) * _NS
            if before is not None and 0 < dt_s <= gap_s:
                measured = (places_m[row] - before.places_m) / dt_s
                weight = low_pass_weight(CUTOFF_HZ, dt_s)
                velocities = before.velocities_m_s + weight * (measured - before.velocities_m_s)
                speeds[row] = np.linalg.norm(velocities, axis=-1)
            self._known[id_] = _Feet(stamp_ns, places_m[row], velocities)
        self._known = {
            id_: feet
            for id_, feet in self._known.items()
            if abs(stamp_ns - feet.stamp_ns) * _NS <= gap_s
        }
        return speeds
