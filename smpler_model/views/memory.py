"""What earlier moments say about this one: which tracks were one person, and how people faced.

A single image can show a person badly, or back to front. So whether two tracks are one person is
judged by their mean cost over recent moments: one bad image does not break a correct join, and a
wrong join ends when the views keep disagreeing. People do not turn round between two images, so
the direction in which a person faced before counts as one more view of it.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.messages import NS_PER_S

LASTING_S = 0.5
"""Time over which the weight of earlier costs, and of a facing, falls to 1 / e."""

_FORGOTTEN_NS = 10_000_000_000  # by then, costs and facings have no weight left


class ViewMemory:
    """Costs of joins, and facings, of tracks that were seen lately.

    State: for each track the direction in which its person faced, and for each pair of tracks the
    sum of weighted costs and of the weights. It is reset when time runs backwards (a rewound bag)
    and by `reset`.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all tracks."""
        self._ids = np.empty(0, np.int64)
        self._seen_ns = np.empty(0, np.int64)
        self._costs, self._weights = np.empty((0, 0)), np.empty((0, 0))
        self._facings = np.empty((0, 3))
        self._now_ns = 0

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        return {
            "past_ids": self._ids,
            "past_seen_ns": self._seen_ns,
            "past_costs": self._costs,
            "past_weights": self._weights,
            "past_facings": self._facings,
            "past_now_ns": np.array(self._now_ns, np.int64),
        }

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self._ids = arrays["past_ids"].astype(np.int64)
        self._seen_ns = arrays["past_seen_ns"].astype(np.int64)
        self._costs = arrays["past_costs"].astype(np.float64)
        self._weights = arrays["past_weights"].astype(np.float64)
        self._facings = arrays["past_facings"].astype(np.float64)
        self._now_ns = int(arrays["past_now_ns"])

    def at(self, stamp_ns: int) -> "ViewMemory":
        """Go on to a moment, and return the memory as it is then."""
        if stamp_ns < self._now_ns:
            self.reset()
        kept = float(np.exp(-(stamp_ns - self._now_ns) / NS_PER_S / LASTING_S))
        self._now_ns = stamp_ns
        self._costs, self._weights = kept * self._costs, kept * self._weights
        recent = np.nonzero(stamp_ns - self._seen_ns <= _FORGOTTEN_NS)[0]
        self._take(recent, len(recent))
        return self

    def average(self, ids: Integers, costs: Floats) -> Floats:
        """Add a moment's costs of joins, and return their means over time.

        Args:
            ids: (n) of the tracks, each once.
            costs: (n, n) of each pair being one person; infinite where it cannot be.
        """
        rows = self._rows_of(ids)
        grid = np.ix_(rows, rows)
        possible = np.isfinite(costs)
        self._costs[grid] += np.where(possible, costs, 0.0)
        self._weights[grid] += possible
        weights = np.maximum(self._weights[grid], 1.0)
        return np.where(possible, self._costs[grid] / weights, np.inf)

    def expect(self, ids: Integers) -> Floats:
        """Return the directions (..., 3) in which tracks' people face, shorter the older they are.

        Args:
            ids: (...) of the tracks; zero is returned for those who are not known.
        """
        places = np.full(ids.shape, -1)
        for place, id_ in enumerate(self._ids.tolist()):
            places[ids == id_] = place
        ages_s = (self._now_ns - np.append(self._seen_ns, 0)[places]) / NS_PER_S
        facings = np.vstack([self._facings, np.zeros(3)])[places]
        lasting = np.where(places >= 0, np.exp(-np.maximum(ages_s, 0) / LASTING_S), 0.0)
        return np.asarray(lasting[..., None] * facings)

    def keep(self, ids: Integers, facings: Floats) -> None:
        """Remember how people face now.

        Args:
            ids: (n) of the tracks.
            facings: (n, 3) unit vectors.
        """
        rows = self._rows_of(ids)
        self._facings[rows], self._seen_ns[rows] = facings, self._now_ns

    def _rows_of(self, ids: Integers) -> NDArray[np.intp]:
        """Return the rows of tracks; new ones get a row."""
        new = np.setdiff1d(ids, self._ids)
        count = len(self._ids)
        self._ids = np.concatenate([self._ids, new])
        self._take(np.arange(count), count + len(new))
        order = np.argsort(self._ids)
        return np.asarray(order[np.searchsorted(self._ids, ids, sorter=order)])

    def _take(self, rows: NDArray[np.intp], count: int) -> None:
        """Keep rows, and add rows of zeros up to a count."""
        if count == len(rows) == len(self._seen_ns):
            return
        free = count - len(rows)
        grid = np.ix_(rows, rows)
        self._costs = np.pad(self._costs[grid], (0, free))
        self._weights = np.pad(self._weights[grid], (0, free))
        self._facings = np.pad(self._facings[rows], ((0, free), (0, 0)))
        self._seen_ns = np.pad(self._seen_ns[rows], (0, free), constant_values=self._now_ns)
        if not free:
            self._ids = self._ids[rows]
