"""Plays a synthetic scene at a constant rate, and drops images that are late.

At the end of the film, the scene restarts while timestamps and rate continue. With
`SceneSettings.empty` every loop begins with the empty room, so that a tracker with a shorter
`lost_after` drops all tracks, and ids are not passed on. Otherwise people jump at the restart,
some of them to positions where others were.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import Frame
from synthetic.truth import GroundTruth

if TYPE_CHECKING:
    from synthetic.scene import SyntheticScene

JUMP_NS = 5 * NS_PER_S  # a larger difference means that a simulated clock was set
_SET_NS = NS_PER_S // 10  # more than a time server corrects while the clock runs
_POLL_S = 0.05  # the system's sleep ignores a simulated clock
_PIXEL_BYTES, _DEPTH_BYTES, _BYTES_PER_MB = 3, 4, 1_000_000


@dataclass(frozen=True)
class SceneShot:
    """One image of a film with ground truth. Its timestamp is the time since the start."""

    frame: Frame
    truth: GroundTruth


class Film:
    """The images of a scene, in a loop. State: the images rendered ahead.

    Attributes:
        scene: scene to render.
        rate_hz: frame rate.
        length: number of images in the loop.
    """

    def __init__(self, scene: "SyntheticScene", rate_hz: float, *, depth: bool = False) -> None:
        """Create the film; nothing is rendered yet.

        Args:
            scene: scene to render.
            rate_hz: frame rate.
            depth: whether to render depth images.
        """
        self.scene, self._depth = scene, depth
        self._kept: list[SceneShot] = []
        self.rate_hz = rate_hz
        self.length = max(round(scene.duration_s * rate_hz), 1)

    @property
    def size_mb(self) -> float:
        """Memory of all images, MB."""
        camera = self.scene.camera
        return film_size_mb(self.length, camera.width * camera.height, depth=self._depth)

    def time_ns(self, index: int) -> int:
        """Return when an image is due, since the start, nanoseconds."""
        return round(index * NS_PER_S / self.rate_hz)

    def shot(self, index: int) -> SceneShot:
        """Return an image, rendered ahead or now."""
        place = index % self.length
        return self._kept[place] if place < len(self._kept) else self._render(place)

    def render_ahead(self) -> int:
        """Render one more image and keep it; return the number of images rendered so far."""
        if len(self._kept) < self.length:
            self._kept.append(self._render(len(self._kept)))
        return len(self._kept)

    def _render(self, place: int) -> SceneShot:
        made = self.scene.frame(self.time_ns(place), depth=self._depth)
        return SceneShot(made.frame, made.truth)


def film_size_mb(length: float, pixels: float, *, depth: bool) -> float:
    """Return the memory of a film with this number of images and of pixels per image."""
    return length * pixels * (_PIXEL_BYTES + _DEPTH_BYTES * depth) / _BYTES_PER_MB


@dataclass(frozen=True)
class PlayerHost:
    """Callbacks of the film's player.

    Attributes:
        now_ns: returns the current time.
        wait: waits for a number of seconds; returns True as soon as it is time to stop.
        has_subscribers: whether the images have subscribers.
        show: called with an image and its timestamp when it is due.
        was_set: whether the clock was set since the last call.
    """

    now_ns: Callable[[], int]
    wait: Callable[[float], bool]
    has_subscribers: Callable[[], bool]
    show: Callable[[SceneShot, int], None]
    was_set: Callable[[], bool] = lambda: False


class ClockWatch:
    """Detects that a clock was set, by comparison with a steady clock."""

    def __init__(
        self, now_ns: Callable[[], int], steady_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Store the clocks and their difference.

        Args:
            now_ns: the clock.
            steady_ns: the steady clock.
        """
        self._now_ns, self._steady_ns = now_ns, steady_ns
        self._ahead_ns = self._read()

    def was_set(self) -> bool:
        """Return whether the clock was set since the last call."""
        before_ns, self._ahead_ns = self._ahead_ns, self._read()
        return abs(self._ahead_ns - before_ns) > _SET_NS

    def _read(self) -> int:
        """Return the lead of the clock, from two readings in quick succession."""
        while True:
            before_ns, now_ns, after_ns = self._steady_ns(), self._now_ns(), self._steady_ns()
            if after_ns - before_ns < _SET_NS / 10:
                return now_ns - after_ns


class FilmPlayer:
    """Shows a film's images when they are due, and drops those that are not ready by then.

    Attributes:
        shown: number of images shown.
        dropped: number of images dropped although they had subscribers.
        rate_hz: frame rate.
    """

    def __init__(self, film: Film, host: PlayerHost, duration_s: float = math.inf) -> None:
        """Store the arguments; `play` starts.

        Args:
            film: film to play.
            host: callbacks.
            duration_s: when to stop, seconds.
        """
        self._film, self._host = film, host
        self.rate_hz = film.rate_hz
        self._end_ns = duration_s * NS_PER_S
        self._is_set = False
        self.shown = 0
        self.dropped = 0

    def play(self) -> None:
        """Play until stopped or until the duration is over.

        When the clock is set, the film restarts. A clock at 0 has not started yet.
        """
        self._film.shot(0)  # the room is rendered with the first image
        start_ns = played_ns = index = 0
        while played_ns < self._end_ns:
            was_set, now = self._was_set(), self._host.now_ns()
            if now == 0:
                if self._host.wait(_POLL_S):
                    return
                continue
            if was_set or abs(start_ns + self._film.time_ns(index) - now) > JUMP_NS:
                start_ns, index, self._is_set = now, 0, False
            begin = time.monotonic()
            shot = self._film.shot(index) if self._host.has_subscribers() else None
            took_ns = round((time.monotonic() - begin) * NS_PER_S)
            stamp_ns = start_ns + self._film.time_ns(index)
            if not self._wait_until(stamp_ns):
                return
            if self._was_set():
                continue
            if shot is not None:
                self._host.show(shot, stamp_ns)
                self.shown += 1
            following = self._next(index, self._host.now_ns() + took_ns - start_ns)
            if shot is not None:
                self.dropped += following - index - 1
            played_ns += self._film.time_ns(following) - self._film.time_ns(index)
            index = following

    def _next(self, index: int, ready_ns: int) -> int:
        """Return the next image that is due late enough to be ready in time."""
        first = math.ceil(ready_ns * self._film.rate_hz / NS_PER_S)
        late = first - index - 1
        # Jumps of the clock are handled elsewhere.
        if late < 0 or self._film.time_ns(late) > JUMP_NS or self._was_set():
            return index + 1
        return max(first, index + 1)

    def _was_set(self) -> bool:
        """Return whether the clock was set since the film started."""
        self._is_set = self._host.was_set() or self._is_set
        return self._is_set

    def _wait_until(self, due_ns: int) -> bool:
        """Wait until the clock reaches a time or was set; return False to stop."""
        while not self._was_set() and 0 < (left_ns := due_ns - self._host.now_ns()) < JUMP_NS:
            if self._host.wait(min(left_ns / NS_PER_S, _POLL_S)):
                return False
        return not self._host.wait(0.0)
