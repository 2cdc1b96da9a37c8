"""A synthetic scene played at a steady rate: what is shown when, and what is left out."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from smpler_model.cameras.messages import NS_PER_S
from smpler_model.frames import Frame
from synthetic.scene import SyntheticScene
from synthetic.truth import GroundTruth

JUMP_NS = 5 * NS_PER_S  # a simulated clock that is farther off than this was set
_SET_NS = NS_PER_S // 10  # more is no correction that a time server makes while the clock runs
_POLL_S = 0.05  # the clock may be a simulated one, of which the system's sleep knows nothing
_PIXEL_BYTES, _DEPTH_BYTES, _BYTES_PER_MB = 3, 4, 1_000_000


@dataclass(frozen=True)
class Shot:
    """One image of a film and the truth about it. The stamp is the time since the start."""

    frame: Frame
    truth: GroundTruth


class Film:
    """The images of a scene, over and over. State is what was rendered ahead.

    Attributes:
        scene: scene to render.
        rate_hz: images a second.
        length: number of images until the first comes again.
    """

    def __init__(self, scene: SyntheticScene, rate_hz: float, *, depth: bool = False) -> None:
        """Prepare.

        Args:
            scene: scene to render.
            rate_hz: images a second.
            depth: whether depth images are wanted.
        """
        self.scene, self._depth = scene, depth
        self._kept: list[Shot] = []
        self.rate_hz = rate_hz
        self.length = max(round(scene.duration_s * rate_hz), 1)

    @property
    def size_mb(self) -> float:
        """What all images take in memory."""
        camera = self.scene.camera
        return film_size_mb(self.length, camera.width * camera.height, depth=self._depth)

    def time_ns(self, index: int) -> int:
        """Return when an image is due after the start."""
        return round(index * NS_PER_S / self.rate_hz)

    def shot(self, index: int) -> Shot:
        """Return an image: one that was rendered ahead, or one rendered now."""
        place = index % self.length
        return self._kept[place] if place < len(self._kept) else self._render(place)

    def render_ahead(self) -> int:
        """Render one more image and keep it; return how many there are now."""
        if len(self._kept) < self.length:
            self._kept.append(self._render(len(self._kept)))
        return len(self._kept)

    def _render(self, place: int) -> Shot:
        made = self.scene.frame(self.time_ns(place), depth=self._depth)
        return Shot(made.frame, made.truth)


def film_size_mb(length: float, pixels: float, *, depth: bool) -> float:
    """Return what a film of that many images of that many pixels takes in memory."""
    return length * pixels * (_PIXEL_BYTES + _DEPTH_BYTES * depth) / _BYTES_PER_MB


@dataclass(frozen=True)
class PlayerHost:
    """Where a film is played.

    Attributes:
        now_ns: returns the time.
        wait: waits for seconds; returns True as soon as it is time to stop.
        is_watched: whether anybody would see an image.
        show: gets an image and its stamp when it is due.
        was_set: tells whether somebody set the clock since it was asked last.
    """

    now_ns: Callable[[], int]
    wait: Callable[[float], bool]
    is_watched: Callable[[], bool]
    show: Callable[[Shot, int], None]
    was_set: Callable[[], bool] = lambda: False


class ClockWatch:
    """Tells whether a clock was set, by one that nobody can set."""

    def __init__(
        self, now_ns: Callable[[], int], steady_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Begin.

        Args:
            now_ns: the clock.
            steady_ns: the other one.
        """
        self._now_ns, self._steady_ns = now_ns, steady_ns
        self._ahead_ns = self._read()

    def was_set(self) -> bool:
        """Tell whether the clock was set since the last call."""
        before_ns, self._ahead_ns = self._ahead_ns, self._read()
        return abs(self._ahead_ns - before_ns) > _SET_NS

    def _read(self) -> int:
        """Return how far the clock is ahead, read without a long pause between the two."""
        while True:
            before_ns, now_ns, after_ns = self._steady_ns(), self._now_ns(), self._steady_ns()
            if after_ns - before_ns < _SET_NS / 10:
                return now_ns - after_ns


class Player:
    """Shows a film's images when they are due, and leaves out those that are not ready then.

    Attributes:
        shown: how many images were shown.
        dropped: how many images somebody missed.
        rate_hz: images a second.
    """

    def __init__(self, film: Film, host: PlayerHost, duration_s: float = math.inf) -> None:
        """Prepare.

        Args:
            film: to play.
            host: what it plays for.
            duration_s: when to stop, seconds.
        """
        self._film, self._host = film, host
        self.rate_hz = film.rate_hz
        self._end_ns = duration_s * NS_PER_S
        self._is_set = False
        self.shown = 0
        self.dropped = 0

    def play(self) -> None:
        """Play until it is time to stop or the duration is over.

        When the clock is set, the film begins again. A clock at 0 has not begun yet.
        """
        self._film.shot(0)  # the room is drawn with the first image
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
            shot = self._film.shot(index) if self._host.is_watched() else None
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
        """Return the first image after one that is due when it can be ready."""
        first = math.ceil(ready_ns * self._film.rate_hz / NS_PER_S)
        late = first - index - 1
        # A clock that jumped is none of the film's business.
        if late < 0 or self._film.time_ns(late) > JUMP_NS or self._was_set():
            return index + 1
        return max(first, index + 1)

    def _was_set(self) -> bool:
        """Tell whether somebody set the clock since the film began."""
        self._is_set = self._host.was_set() or self._is_set
        return self._is_set

    def _wait_until(self, due_ns: int) -> bool:
        """Wait until the clock shows a time or was set; return False to stop."""
        while not self._was_set() and 0 < (left_ns := due_ns - self._host.now_ns()) < JUMP_NS:
            if self._host.wait(min(left_ns / NS_PER_S, _POLL_S)):
                return False
        return not self._host.wait(0.0)
