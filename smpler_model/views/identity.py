"""One id for a person in all views, constant over time."""

from collections.abc import Mapping, Sequence

from smpler_model.people.tracker import IdSource

_REMEMBERED_NS = 10_000_000_000  # longer than any tracker keeps a person who is not seen

Track = tuple[str, int]
"""Name of a camera, and a track's id in it."""


class CommonIds:
    """Gives each group of tracks the id that most of them had before.

    Of two groups that claim the same id, the one with more tracks that had it gets it, then the
    one with the older track; the other gets a new one. State: the ids of recent tracks. It is
    reset when time runs backwards (a rewound bag) and by `reset`; ids continue.
    """

    def __init__(self) -> None:
        self._source = IdSource()
        self._known: dict[Track, tuple[int, int]] = {}  # id and timestamp
        self._last_ns = 0

    def reset(self) -> None:
        """Forget all tracks."""
        self._known.clear()

    def name(self, stamp_ns: int, groups: Sequence[Mapping[str, int]]) -> list[int]:
        """Return the ids of groups.

        Args:
            stamp_ns: timestamp of the views' images.
            groups: the id of each person's track by camera, at most one of each camera.
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
        self._known = {
            track: (id_, seen_ns)
            for track, (id_, seen_ns) in self._known.items()
            if stamp_ns - seen_ns <= _REMEMBERED_NS
        }
        return ids
