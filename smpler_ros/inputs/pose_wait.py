"""Adds the camera's pose in the fixed frame to images, which wait for it a short time."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from smpler_model.cameras.frame_reader import name_frame
from smpler_model.cameras.messages import stamp_ns_of
from smpler_model.cameras.transform_buffer import TransformBuffer
from smpler_model.frames import CameraPose
from smpler_ros.inputs.arrival import Arrival


@dataclass(frozen=True)
class _Waiting:
    camera: str
    arrival: Arrival
    since_s: float


class PoseWait:
    """Passes on images in the order of their arrival, with the camera's pose at their time.

    A robot's transforms arrive a little later than its images. An image waits for the next
    transform of frames that are published, at most `wait_s`; then it is passed on without a pose.
    No call blocks; `release` must be called when transforms arrive and periodically. State: the
    waiting images.
    """

    def __init__(
        self,
        buffer: TransformBuffer,
        fixed_frame: str,
        wait_s: float,
        store: Callable[[str, Arrival], None],
        miss: Callable[[str, str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create it with no image waiting.

        Args:
            buffer: the transforms.
            fixed_frame: name of the fixed frame.
            wait_s: longest time that an image waits, seconds.
            store: called with a camera's name and each of its images.
            miss: called with a camera's name and the reason before an image is passed on without a
                pose.
            clock: seconds.
        """
        self._buffer = buffer
        self._fixed_frame = fixed_frame.removeprefix("/")
        self._wait_s = wait_s
        self._store, self._miss = store, miss
        self._clock = clock
        self._waiting: dict[str, deque[_Waiting]] = {}

    def add(self, camera: str, arrival: Arrival) -> None:
        """Add an image."""
        waiting = self._waiting.setdefault(camera, deque())
        waiting.append(_Waiting(camera, arrival, self._clock()))
        self._advance(waiting)

    def release(self) -> None:
        """Pass on the images that have a pose by now, or have waited long enough."""
        for waiting in self._waiting.values():
            self._advance(waiting)

    def _advance(self, waiting: deque[_Waiting]) -> None:
        """Pass on a camera's images, the oldest first, until one has to wait."""
        while waiting:
            first = waiting[0]
            header = first.arrival.image.header
            frame_id = name_frame(header.frame_id, first.camera)
            found = self._buffer.find(
                self._fixed_frame, frame_id, stamp_ns_of(first.arrival.image)
            )
            if found.may_come and self._clock() - first.since_s < self._wait_s:
                return
            waiting.popleft()
            if found.target_from_source is None:
                self._miss(first.camera, found.reason)
                self._store(first.camera, first.arrival)
            else:
                pose = CameraPose(self._fixed_frame, found.target_from_source)
                self._store(first.camera, replace(first.arrival, pose=pose))
