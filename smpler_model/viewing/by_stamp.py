"""Values by timestamp, of which the nearest is found by bisection."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ByStamp(Generic[Item]):
    """Values by timestamp, nanoseconds."""

    def __init__(self, values: Mapping[int, Item]) -> None:
        self._values, self._stamps_ns = values, sorted(values)

    def nearest(self, stamp_ns: int, most_ns: float = math.inf) -> Item | None:
        """Return the value nearest in time, the earlier of two; None if none is near enough.

        Args:
            stamp_ns: timestamp, nanoseconds.
            most_ns: how far away it may be, nanoseconds.
        """
        place = bisect_left(self._stamps_ns, stamp_ns)
        near = self._stamps_ns[max(place - 1, 0) : place + 1]
        best = min(near, key=lambda each: abs(each - stamp_ns), default=None)
        if best is None or abs(best - stamp_ns) > most_ns:
            return None
        return self._values[best]
