"""A recording: moments by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.body.skeleton import SMPL_JOINTS
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import level_camera
from smpler_model.frames import People
from smpler_model.viewing.moments import Moment

USUAL_HEIGHT_M = 1.2
"""Height of a camera above the floor where nothing tells it."""

_FEET = tuple(SMPL_JOINTS.index(name) for name in ("left_foot", "right_foot"))
_SOLE_M = 0.03  # from the joint down to the floor
_LOWEST = 0.9  # share of the images in which the lower foot is above the floor


class Images(Protocol):
    """Images of a recording by the numbers of its moments."""

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Return (h, w, 3) RGB; None where there is none."""


class NoImages:
    """Images of a recording that has none."""

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class RecordedFrame:
    """What was found in an image.

    Attributes:
        stamp_ns: when it was taken, nanoseconds.
        camera: what took it.
        people: who was found.
        truth: who was there; None where that is not known.
        world_from_camera: (4, 4) metres; None where nothing tells where the camera was.
    """

    stamp_ns: int
    camera: Camera
    people: People
    truth: People | None = None
    world_from_camera: Floats | None = None


class Recording:
    """The frames of one camera and their images.

    Where nothing tells where the camera was, it is taken to be level, with the floor under the
    feet of the people.

    Attributes:
        title: name of the recording.
        stamps_ns: (f,) int64 of the frames.
    """

    def __init__(
        self, title: str, frames: Sequence[RecordedFrame], images: Images | None = None
    ) -> None:
        """Put together.

        Args:
            title: name of the recording.
            frames: f frames in order.
            images: their images; None for none.

        Raises:
            ValueError: there are no frames.
        """
        if not frames:
            raise ValueError(f"{title} must hold at least one image's people, got none")
        self.title = title
        self.stamps_ns = np.array([frame.stamp_ns for frame in frames], np.int64)
        self._frames = frames
        self._images = images or NoImages()
        self._level = level_camera(camera_height(frames), 0.0)

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def people(self) -> People:
        """The first people that were found; nobody where there are none."""
        found = (frame.people for frame in self._frames if len(frame.people))
        return next(found, self._frames[0].people)

    @property
    def has_truth(self) -> bool:
        """Whether any frame has ground truth."""
        return any(frame.truth is not None for frame in self._frames)

    def moment(self, index: int, *, image: bool = True) -> Moment:
        """Return what is seen in a frame.

        Args:
            index: its number, from 0.
            image: whether the image is read, which takes the time.
        """
        frame = self._frames[index]
        known = frame.world_from_camera
        return Moment(
            stamp_ns=frame.stamp_ns,
            camera=frame.camera,
            people=frame.people,
            world_from_camera=self._level if known is None else known,
            rgb=self._images.read(index) if image else None,
            truth=frame.truth,
        )


def camera_height(frames: Sequence[RecordedFrame]) -> float:
    """Return how high above people's feet a level camera is, metres.

    It is the distance below which the lower foot of a person is in nine of ten images, so that
    somebody who jumps or sits does not lift the floor; `USUAL_HEIGHT_M` without people.
    """
    feet = [frame.people.joints_m[:, _FEET, 1].max(1) for frame in frames if len(frame.people)]
    if not feet:
        return USUAL_HEIGHT_M
    return float(np.quantile(np.concatenate(feet), _LOWEST)) + _SOLE_M
