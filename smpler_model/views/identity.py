"""One id for a person in all views, constant over time."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from smpler_model.cameras.messages import NS_PER_S
from smpler_model.people.tracker import IdSource

_LEAST_S = 10.0  # for which tracks are remembered that are not seen

Track = tuple[str, int]
"""Name of a camera, and a track's id in it."""


class CommonIds:
    """Gives each group of tracks the id that most of them had before.

    Of two groups that claim the same id, the one with more tracks that had it gets it, then the
    one with the older track; the other gets a new one. State: the ids of recent tracks. It is
    reset when time runs backwards (a rewound bag) and by `reset`; ids continue.
    """

    def __init__(self, source: IdSource | None = None) -> None:
        self._source = source or IdSource()
        self._known: dict[Track, tuple[int, int]] = {}  # id and timestamp
        self._last_ns = 0

    def reset(self) -> None:
        """Forget all tracks."""
        self._known.clear()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        return {
            "known_cameras": np.array([camera for camera, _ in self._known], np.str_),
            "known_tracks": np.array([track for _, track in self._known], np.int64),
            "known": np.array(list(self._known.values()), np.int64).reshape(-1, 2),
            "clock": np.array([self._source.next_id, self._last_ns], np.int64),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        cameras, tracks = (arrays[f"known_{name}"].tolist() for name in ("cameras", "tracks"))
        rows = zip(cameras, tracks, arrays["known"].tolist(), strict=True)
        self._known = {(camera, track): (id_, ns) for camera, track, (id_, ns) in rows}
        next_id, self._last_ns = arrays["clock"].tolist()
        self._source.next_id = max(self._source.next_id, next_id)

    def name(
        self, stamp_ns: int, groups: Sequence[Mapping[str, int]], absence_s: float = 0.0
    ) -> list[int]:
        """Return the ids of groups.

        Args:
            stamp_ns: timestamp of the views' images.
            groups: the id of each person's track by camera, at most one of each camera.
            absence_s: longest time after which a track that was not seen may be there again,
                seconds. Tracks are remembered for that time, and for at least 10 s.
        """
        if stamp_ns < self._last_ns:
            self.reset()
        self._last_ns = stamp_ns
        claims = []
        for row, group in enumerate(groups):
            had = [self._known[track][0] for track in group.items() if track in self._known]
            oldest = min(group.values())
            claims += [(-had.count(id_), oldest, id_, row) for id_ in set(had)]
        given: dict[int, int] = {}
        for _, _, id_, row in sorted(claims):
            if row not in given and id_ not in given.values():
                given[row] = id_
        ids = [given[row] if row in given else self._source.take() for row in range(len(groups))]
        for group, id_ in zip(groups, ids, strict=True):
            self._known.update(dict.fromkeys(group.items(), (id_, stamp_ns)))
        remembered_ns = max(_LEAST_S, absence_s) * NS_PER_S
        self._known = {
            track: (id_, seen_ns)
            for track, (id_, seen_ns) in self._known.items()
            if stamp_ns - seen_ns <= remembered_ns
        }
        return ids
