"""People's paths over the floor during the last seconds."""

from collections import deque

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.viewing.moments import Moment

TRAIL_S = 5.0
STEP_M = 0.25
"""Distance between two points of a trail; the body hides a shorter piece."""

_PELVIS = 0


class Trails:
    """The paths of people over the floor.

    State: their recent positions, cleared when a stamp lies before the last one.
    """

    def __init__(self) -> None:
        self._places: dict[int, deque[tuple[int, Floats]]] = {}
        self._last_ns = 0

    def add(self, moment: Moment) -> dict[int, list[Floats]]:
        """Add people's positions; return the trail of each, (3,) in the world, the newest last.

        A trail changes only when somebody has moved by `STEP_M`, or after `TRAIL_S`.
        """
        if moment.stamp_ns < self._last_ns:
            self._places = {}
        self._last_ns = moment.stamp_ns
        world = moment.world_from_camera
        pelvises = moment.people.joints_m[:, _PELVIS] @ world[:3, :3].T + world[:3, 3]
        pelvises[:, 2] = moment.floor_m
        for id_, place in zip(moment.people.ids.tolist(), pelvises, strict=True):
            places = self._places.setdefault(id_, deque())
            if not places or np.linalg.norm(place - places[-1][1]) >= STEP_M:
                places.append((moment.stamp_ns, place))
        oldest_ns = moment.stamp_ns - round(TRAIL_S * 1e9)
        for places in self._places.values():
            while places and places[0][0] < oldest_ns:
                places.popleft()
        self._places = {id_: places for id_, places in self._places.items() if places}
        return {id_: [place for _, place in places] for id_, places in self._places.items()}
