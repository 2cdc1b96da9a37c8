"""Recordings: moments by number, and the frames of one camera as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats, Integers
from smpler_model.cameras.camera import Camera
from smpler_model.frames import People
from smpler_model.viewing.assumed_pose import assume_pose
from smpler_model.viewing.moments import Moment


class Images(Protocol):
    """Images of a recording by frame number."""

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Return an (h, w, 3) RGB image, if there is one."""


class Playable(Protocol):
    """Moments by number.

    Attributes:
        title: name of the recording.
        stamps_ns: (f,) int64 stamps of the moments.
        cameras: names of the cameras of people of several; none for a camera's own people.
    """

    title: str
    stamps_ns: Integers
    cameras: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of moments."""

    @property
    def people(self) -> People:
        """The people of the first moment that has any; else none."""

    def moment(self, index: int, *, image: bool = True) -> Moment:
        """Return a moment, with its images unless they are not wanted."""


class NoImages:
    """Images of a recording without images."""

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class RecordedFrame:
    """The people in an image.

    Attributes:
        stamp_ns: timestamp of the image, nanoseconds.
        camera: the camera.
        people: estimated people.
        truth: true people; None if unknown.
        world_from_camera: (4, 4) pose of the camera, metres; None if unknown.
        index: number of the image in the input of a run, from 0; None if unknown.
    """

    stamp_ns: int
    camera: Camera
    people: People
    truth: People | None = None
    world_from_camera: Floats | None = None
    index: int | None = None


class Recording:
    """The frames of one camera and their images.

    If the camera's pose is unknown, it is assumed from the people, see `assume_pose`.

    Attributes:
        title: name of the recording.
        stamps_ns: (f,) int64 timestamps of the frames.
        cameras: none, as each frame has its camera.
    """

    def __init__(
        self, title: str, frames: Sequence[RecordedFrame], images: Images | None = None
    ) -> None:
        """Prepare the frames.

        Args:
            title: name of the recording.
            frames: f frames in order.
            images: their images, if any.

        Raises:
            ValueError: there are no frames.
        """
        if not frames:
            raise ValueError(f"{title} must contain the people of at least one image, got none")
        self.title = title
        self.cameras: tuple[str, ...] = ()
        self.stamps_ns = np.array([frame.stamp_ns for frame in frames], np.int64)
        self._frames = frames
        self._images = images or NoImages()
        self._assumed = assume_pose((frame.camera, frame.people) for frame in frames)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def people(self) -> People:
        """The people of the first frame that has any; else none."""
        found = (frame.people for frame in self._frames if len(frame.people))
        return next(found, self._frames[0].people)

    def moment(self, index: int, *, image: bool = True) -> Moment:
        """Return a frame with its image.

        Args:
            index: its number, from 0.
            image: whether to read the image, which takes most of the time.
        """
        frame = self._frames[index]
        known = frame.world_from_camera
        return Moment(
            stamp_ns=frame.stamp_ns,
            camera=frame.camera,
            people=frame.people,
            world_from_camera=self._assumed if known is None else known,
            rgb=self._images.read(index) if image else None,
            truth=frame.truth,
        )
