"""Log messages about the arrival of a topic's images, one per change."""

import time
from collections import deque
from collections.abc import Callable

SILENCE_S = 5.0
SHARE_S = 5.0
LEAST_SHARE = 0.5

_RATE_S = 2.0  # how long images are counted before their rate is logged
_LEAST_JUDGED = 5  # number of images from which the fraction with partners is judged


class Reception:
    """Detects when images start, stop and are back. State: the last time of arrival.

    Attributes:
        has_begun: whether any image has arrived.
    """

    def __init__(self, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without images.

        Args:
            topic: topic of the images.
            clock: seconds.
        """
        self._topic, self._clock = topic, clock
        self.has_begun = False
        self._last_s = self._said_s = clock()
        self._since_s: float | None = None
        self._count, self._size = 0, ""
        self._is_silent = False

    def take(self, width: int, height: int) -> None:
        """Record an image of a size, pixels; 0 if unknown."""
        self._last_s = self._said_s = self._clock()
        if self._since_s is None or self._is_silent:
            self._since_s, self._count = self._last_s, -1  # counting starts with the first image
        self._count += 1
        self._size = f", {width}x{height}" if width and height else ""

    def is_silent(self) -> bool:
        """Return whether the silence has lasted long enough for another warning."""
        now = self._clock()
        if now - self._said_s <= SILENCE_S:
            return False
        self._said_s, self._is_silent = now, True
        return True

    def news(self) -> str:
        """Return what to log about arriving images; empty if nothing changed."""
        if self._is_silent and self._last_s == self._said_s:
            self._is_silent = False
            if self.has_begun:
                return f"images are back on {self._topic}"
        counted_s = self._last_s - self._since_s if self._since_s is not None else 0.0
        if self.has_begun or counted_s < _RATE_S:
            return ""
        self.has_begun = True
        rate_hz = self._count / counted_s
        return f"receiving images on {self._topic} at {rate_hz:.1f} Hz{self._size}"


class Share:
    """The fraction of recent images with a partner, and whether it dropped or recovered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._fits: deque[tuple[float, bool]] = deque()
        self._since_s = clock()
        self.is_low = False

    def take(self, *, fits: bool) -> None:
        """Record an image."""
        now = self._clock()
        self._fits.append((now, fits))
        while self._fits[0][0] < now - SHARE_S:
            self._fits.popleft()

    def counts(self) -> tuple[int, int]:
        """Return the number of recent images with the partner, and of all recent images."""
        return sum(fits for _, fits in self._fits), len(self._fits)

    def changed(self) -> bool:
        """Return whether the fraction dropped, or recovered, since the last call.

        If no image has the partner, nothing changes: that has other reasons; see `miss`.
        """
        having, images = self.counts()
        now = self._clock()
        if not having or images < _LEAST_JUDGED or now - self._since_s < SHARE_S:
            return False
        is_low = having < LEAST_SHARE * images
        was_low, self.is_low = self.is_low, is_low
        if is_low != was_low:
            self._since_s = now
        return is_low != was_low

    def miss(self) -> None:
        """Record that a complete absence was logged: the next change is the recovery."""
        self.is_low = True
