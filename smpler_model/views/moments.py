"""Finds images of several cameras that were taken at the same time, by their timestamps."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

AnyView = TypeVar("AnyView")

PATIENCE_NS = 250_000_000
"""How far other cameras' images may be ahead of a moment that still waits for one."""

SILENCE_NS = 1_000_000_000
"""A camera whose images stopped this much before those of others is not waited for."""


@dataclass(frozen=True)
class Stamped(Generic[AnyView]):
    """What a camera saw, and when: nanoseconds."""

    stamp_ns: int
    view: AnyView


@dataclass
class PendingImages(Generic[AnyView]):
    """The images of one camera that are in no moment yet, the oldest first.

    Attributes:
        waiting: those that show something.
        newest_ns: stamp of the last image; None before the first.
        missed_ns: images up to this stamp come too late; None if none do.
    """

    waiting: deque[Stamped[AnyView]] = field(default_factory=deque)
    newest_ns: int | None = None
    missed_ns: int | None = None


class MomentMatcher(Generic[AnyView]):
    """Joins images of several cameras whose stamps differ by at most a tolerance.

    A moment begins with the earliest image that waits, and takes the first image of each camera
    that is at most the tolerance later. It is over as soon as every camera has an image in it or
    after it, or has fallen behind (`PATIENCE_NS`, `SILENCE_NS`). The next moment begins after its
    last image, and images left before that are dropped. All times are those of the stamps, so
    that the same images give the same moments, live and from a bag. Nothing waits.

    State: the images that wait. It is reset when a camera's stamps go back (a rewound bag), and by
    `reset`.

    Attributes:
        pending: the images of each camera.
        first_ns: stamp of the first image; None before it.
    """

    def __init__(self, cameras: Sequence[str], tolerance_ns: int) -> None:
        """Start without images.

        Args:
            cameras: names of all cameras.
            tolerance_ns: largest difference between stamps in a moment. Below half the time
                between a camera's images, each image's partner is the nearest one.
        """
        self._tolerance_ns = tolerance_ns
        self.pending: dict[str, PendingImages[AnyView]] = {
            name: PendingImages() for name in cameras
        }
        self.first_ns: int | None = None

    def reset(self) -> None:
        """Forget all images."""
        self.pending = {name: PendingImages() for name in self.pending}
        self.first_ns = None

    def add(self, camera: str, stamp_ns: int, view: AnyView | None) -> None:
        """Add the next image of a camera.

        Args:
            camera: name of the camera.
            stamp_ns: timestamp of the image.
            view: what it shows; None if it cannot be used, so that only its time counts.
        """
        newest_ns = self.pending[camera].newest_ns
        if newest_ns is not None and stamp_ns < newest_ns:
            self.reset()
        queue = self.pending[camera]
        queue.newest_ns = stamp_ns
        self.first_ns = stamp_ns if self.first_ns is None else self.first_ns
        if view is not None and (queue.missed_ns is None or stamp_ns > queue.missed_ns):
            queue.waiting.append(Stamped(stamp_ns, view))

    def take(self, *, final: bool = False) -> list[dict[str, Stamped[AnyView]]]:
        """Return the moments that are over, in their order: images by camera.

        Args:
            final: whether no more images come, so that all moments are over.
        """
        moments = []
        while (moment := self._take_first(final=final)) is not None:
            moments.append(moment)
        return moments

    def _take_first(self, *, final: bool) -> dict[str, Stamped[AnyView]] | None:
        firsts = [each.waiting[0].stamp_ns for each in self.pending.values() if each.waiting]
        if not firsts:
            return None
        end_ns = min(firsts) + self._tolerance_ns
        if not final and not all(self._is_known(each, end_ns) for each in self.pending.values()):
            return None
        moment = {}
        for name, queue in self.pending.items():
            if queue.waiting and queue.waiting[0].stamp_ns <= end_ns:
                moment[name] = queue.waiting.popleft()
            else:
                queue.missed_ns = end_ns
        last_ns = max(each.stamp_ns for each in moment.values())
        for queue in (self.pending[name] for name in moment):
            queue.missed_ns = last_ns
            while queue.waiting and queue.waiting[0].stamp_ns <= last_ns:
                queue.waiting.popleft()
        return moment

    def _is_known(self, queue: PendingImages[AnyView], end_ns: int) -> bool:
        """Return whether it is known if a camera has an image in a moment that ends then."""
        if queue.waiting:
            return True
        if queue.newest_ns is not None and queue.newest_ns > end_ns:
            return True
        seen_ns = [each.newest_ns for each in self.pending.values() if each.newest_ns is not None]
        last_ns = self.first_ns if queue.newest_ns is None else queue.newest_ns
        assert last_ns is not None  # there is an image that waits
        return max(seen_ns) - end_ns > PATIENCE_NS or max(seen_ns) - last_ns > SILENCE_NS
