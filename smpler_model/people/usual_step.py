"""The usual time between a camera's images, which tells a gap from a low rate."""

from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

_USUAL_STEPS = 15  # number of time steps whose median is the usual one
_GAP_STEPS = 3.5  # so that a person missing from two images has not been away
_NS = 1e-9


class UsualStep:
    """The median of the latest time steps between images.

    State: the timestamps of the latest images. It is reset when time runs backwards (a rewound
    bag) and by `reset`.
    """

    def __init__(self) -> None:
        self._stamps_ns: deque[int] = deque(maxlen=_USUAL_STEPS + 1)

    def reset(self) -> None:
        """Forget all images."""
        self._stamps_ns.clear()

    def snapshot(self) -> dict[str, NDArray[np.generic]]:
        """Return the state as arrays, for `restore`."""
        return {"images_ns": np.array(list(self._stamps_ns), np.int64)}

    def restore(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Restore the state that `snapshot` returned."""
        self.reset()
        self._stamps_ns.extend(arrays["images_ns"].tolist())

    @property
    def median_ns(self) -> float:
        """The usual step, nanoseconds; 0 before the second image."""
        steps_ns = [after - before for before, after in pairwise(self._stamps_ns)]
        return float(median(steps_ns)) if steps_ns else 0.0

    def add(self, stamp_ns: int) -> None:
        """Add an image by its timestamp, nanoseconds; the previous timestamp changes nothing."""
        last_ns = self._stamps_ns[-1] if self._stamps_ns else None
        if last_ns is not None and stamp_ns < last_ns:
            self.reset()
        if stamp_ns != last_ns:
            self._stamps_ns.append(stamp_ns)

    def find_gap(self, stamp_ns: int, least_s: float) -> float:
        """Add an image, and return how long people must be unseen to have been away, seconds.

        The images before this one tell the usual step, so that one long step is a gap.

        Args:
            stamp_ns: timestamp of the image, nanoseconds.
            least_s: the least time to return, seconds.
        """
        gap_s = max(least_s, _GAP_STEPS * self.median_ns * _NS)
        self.add(stamp_ns)
        return gap_s
