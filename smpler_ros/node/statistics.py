"""The node's counts and measurements per camera, and throttling of repeated log messages."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from smpler_ros.inputs.reception import SILENCE_S

Clock = Callable[[], float]

_WINDOW = 100  # frames over which steps and ages are averaged


@dataclass(frozen=True)
class CameraReport:
    """Statistics of one camera's images since the last report.

    Attributes:
        received: number of received images.
        processed: number of images whose people were published.
        dropped: number of images replaced by a newer one before processing.
        failed: number of images that could not be processed.
        without_detections: number of images dropped for lack of detections.
        without_depth: number of images read without the requested depth, or with unusable depth.
        without_pose: number of images without the camera's pose in the fixed frame.
        depth_share: fraction of the last hundred images with usable depth, 0 to 1; None if depth
            is not requested or no image was read.
        people_left_out: number of detected people who are missing from the results.
        boxes_left_out: number of boxes in `detections` that are not finite or have no area.
        rate_hz: rate of processed images.
        people: number of people in the last image; 0 while the camera is silent.
        age_ms: mean time from an image's timestamp until its people were published.
        steps_ms: mean duration of every step.
        last_error: the last error; empty if there was none yet.
        is_new_error: whether it happened since the last report.
        is_silent: whether no image has come for `SILENCE_S`, or ever.
    """

    received: int
    processed: int
    dropped: int
    failed: int
    without_detections: int
    without_depth: int
    without_pose: int
    depth_share: float | None
    people_left_out: int
    boxes_left_out: int
    rate_hz: float
    people: int
    age_ms: float
    steps_ms: dict[str, float]
    last_error: str
    is_new_error: bool
    is_silent: bool


@dataclass
class _Counts:
    received: int = 0
    last_s: float | None = None
    processed: int = 0
    failed: int = 0
    without_detections: int = 0
    without_depth: int = 0
    without_pose: int = 0
    people_left_out: int = 0
    boxes_left_out: int = 0
    people: int = 0
    last_error: str = ""
    depths: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    ages_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    steps_ms: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=_WINDOW))


class Statistics:
    """Statistics of all cameras. Thread-safe."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, _Counts] = {}
        self._counted: dict[str, tuple[float, _Counts]] = {}
        self._reports: dict[str, CameraReport] = {}

    def add_camera(self, name: str) -> None:
        """Report a camera from now on, even without images."""
        with self._lock:
            self._counts.setdefault(name, _Counts())

    def receive(self, name: str) -> None:
        """Count a received image."""
        with self._lock:
            self._take(name)

    def read_depth(self, name: str, *, is_usable: bool) -> None:
        """Count an image for which depth is requested, and whether it has usable depth."""
        with self._lock:
            counts = self._counts[name]
            counts.without_depth += not is_usable
            counts.depths.append(is_usable)

    def lose(self, name: str) -> None:
        """Count a received image that was dropped for lack of detections."""
        with self._lock:
            self._take(name).without_detections += 1

    def miss_pose(self, name: str) -> None:
        """Count an image whose camera's pose in the fixed frame is not known in time."""
        with self._lock:
            self._counts[name].without_pose += 1

    def leave_out_boxes(self, name: str, count: int) -> None:
        """Count invalid boxes of `detections`."""
        with self._lock:
            self._counts[name].boxes_left_out += count

    def process(
        self, name: str, people: int, age_ms: float, steps_ms: Mapping[str, float]
    ) -> None:
        """Count an image whose people were published."""
        with self._lock:
            counts = self._counts[name]
            counts.processed += 1
            counts.people = people
            counts.ages_ms.append(age_ms)
            counts.steps_ms.append(dict(steps_ms))

    def leave_out(self, name: str, people: int) -> None:
        """Count detected people who are missing from an image's results."""
        with self._lock:
            self._counts[name].people_left_out += people

    def fail(self, name: str, error: str) -> None:
        """Count an image that could not be processed."""
        with self._lock:
            self._counts[name].failed += 1
            self._counts[name].last_error = error

    def report(self, dropped: Mapping[str, int]) -> dict[str, CameraReport]:
        """Return the statistics since the last report.

        Between the images of a slow camera, the report on its last image is returned again.

        Args:
            dropped: images replaced since the last report, by camera.
        """
        now = self._clock()
        with self._lock:
            return {name: self._report(name, now, dropped.get(name, 0)) for name in self._counts}

    def _take(self, name: str) -> _Counts:
        """Count an image, and return its camera's counts."""
        counts = self._counts[name]
        counts.received += 1
        counts.last_s = self._clock()
        return counts

    def _report(self, name: str, now: float, dropped: int) -> CameraReport:
        counts = self._counts[name]
        before_s, before = self._counted.get(name, (now, _Counts()))
        is_silent = counts.last_s is None or now - counts.last_s > SILENCE_S
        last = self._reports.get(name)
        if last is not None and last.received == 1 and counts == before and not is_silent:
            return replace(last, dropped=dropped)
        self._counted[name] = (now, replace(counts))
        elapsed = now - before_s
        processed = counts.processed - before.processed
        self._reports[name] = CameraReport(
            received=counts.received - before.received,
            processed=processed,
            dropped=dropped,
            failed=counts.failed - before.failed,
            without_detections=counts.without_detections - before.without_detections,
            without_depth=counts.without_depth - before.without_depth,
            without_pose=counts.without_pose - before.without_pose,
            depth_share=sum(counts.depths) / len(counts.depths) if counts.depths else None,
            people_left_out=counts.people_left_out - before.people_left_out,
            boxes_left_out=counts.boxes_left_out - before.boxes_left_out,
            rate_hz=processed / elapsed if elapsed > 0 else 0.0,
            people=counts.people if processed or not is_silent else 0,
            age_ms=_mean(counts.ages_ms),
            steps_ms=_mean_steps(counts.steps_ms),
            last_error=counts.last_error,
            is_new_error=counts.failed > before.failed,
            is_silent=is_silent,
        )
        return self._reports[name]


class Repetitions:
    """Logs an error at once, and again only after a while, with the number of repetitions.

    Threads may share one.
    """

    def __init__(self, period_s: float = 10.0, clock: Clock = time.monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._said: dict[str, float] = {}
        self._kept: Counter[str] = Counter()
        self._lock = threading.Lock()

    def word(self, text: str) -> str:
        """Return the text to log now; empty if it was logged recently."""
        now = self._clock()
        with self._lock:
            if text in self._said and now - self._said[text] < self._period_s:
                self._kept[text] += 1
                return ""
            self._said = {t: s for t, s in self._said.items() if now - s < self._period_s}
            self._said[text] = now
            again = self._kept.pop(text, 0)
        return f"{text} ({again} more times in the last seconds)" if again else text


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _mean_steps(frames: deque[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for frame in frames for name in frame)
    return {name: sum(f.get(name, 0.0) for f in frames) / len(frames) for name in names}
