"""Combines the messages of one camera: people, their image, and the camera's pose."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from smpler_model.array_types import Floats
from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.person_frames import without_people
from smpler_model.cameras.camera import Camera, camera_from_field_of_view
from smpler_model.cameras.frame_reader import FrameReader, ImageSettings
from smpler_model.cameras.frame_tree import FrameTree, level_camera
from smpler_model.cameras.messages import (
    NS_PER_S,
    CameraInfos,
    Message,
    camera_from_info,
    stamp_ns_of,
)
from smpler_model.viewing.bag_recording import camera_of_people
from smpler_model.viewing.moments import Moment

_LONGEST_NS = 5 * NS_PER_S  # for which images and ground truth wait for their people
_MOST_BYTES = 256_000_000  # of images that wait
_ASSUMED = camera_from_field_of_view(640, 480, 60.0)


class LiveMoments:
    """Turns messages into moments.

    State: undecoded images and ground truth waiting for their people, the latest calibrations,
    and transforms.
    """

    def __init__(
        self, height_m: float, pitch_deg: float, images: ImageSettings | None = None
    ) -> None:
        """Prepare.

        Args:
            height_m: height of the camera above the floor, unless transforms give its pose.
            pitch_deg: angle by which it looks down, likewise.
            images: properties of the images.
        """
        self._level = level_camera(height_m, pitch_deg)
        self._images = Waiting()
        self._truths = Waiting()
        self._infos = CameraInfos()
        self._tree = FrameTree()
        self._reader = FrameReader(images)
        self._camera: Camera | None = None

    def add_image(self, message: Message) -> None:
        """Store an image, to be decoded when its people arrive."""
        self._images.add(message)

    def add_truth(self, message: Message) -> None:
        """Store true people, a `SmplPersonArray`, to be shown with their image."""
        self._truths.add(message)

    def add_info(self, message: Message) -> None:
        """Store a calibration."""
        self._infos.add(message)

    def add_transforms(self, message: Message, *, is_static: bool) -> None:
        """Store transforms, except those of people's joints."""
        del is_static
        self._tree.add(without_people(message))

    def lacks_transforms(self, people: Message) -> bool:
        """Return whether the pose of the people's camera, in their fixed frame, is unknown."""
        if people.fixed_frame:
            return people.fixed_frame not in self._tree.path_to_root(people.header.frame_id)
        return self._find_pose(people) is None

    def add_people(self, message: Message) -> Moment:
        """Return the moment of a `SmplPersonArray`."""
        people = people_from_message(message)
        stamp_ns = stamp_ns_of(message)
        rgb, camera = self._look(self._images.take(stamp_ns))
        truth = self._truths.take(stamp_ns)
        if camera is None:
            camera = camera_of_people(self._camera or _ASSUMED, people)
        self._camera = camera
        return Moment(
            stamp_ns=stamp_ns,
            camera=camera,
            people=people,
            world_from_camera=self._place(message),
            rgb=rgb,
            truth=None if truth is None else people_from_message(truth),
        )

    def _look(self, image: Message | None) -> tuple[NDArray[np.uint8] | None, Camera | None]:
        """Return an image's pixels and camera, each None if unknown."""
        infos: Sequence[Message] = self._infos.all()
        if image is None:
            return None, _newest_camera(infos)
        try:
            frame = self._reader.read(image, infos)
        except ValueError:  # smpler_node reads the same images, and reports what is wrong
            return None, None
        height, width = frame.rgb.shape[:2]
        if frame.camera is None and (self._camera is None or self._camera.width != width):
            self._camera = camera_from_field_of_view(width, height, 60.0)
        return frame.rgb, frame.camera

    def _place(self, people: Message) -> Floats:
        known = self._find_pose(people)
        return self._level if known is None else known

    def _find_pose(self, people: Message) -> Floats | None:
        return self._tree.world_from(people.header.frame_id, people.fixed_frame)


class Waiting:
    """Messages of a topic by timestamp.

    Those stamped more than 5 s before the last one are dropped, and those as far after it, which
    are from before the clock was reset; if images exceed 256 MB, so are the oldest.
    """

    def __init__(self) -> None:
        self._messages: OrderedDict[int, Message] = OrderedDict()

    def add(self, message: Message) -> None:
        """Store a message, in place of an earlier one with its timestamp."""
        stamp_ns = stamp_ns_of(message)
        self._messages[stamp_ns] = message
        for each in [each for each in self._messages if abs(each - stamp_ns) > _LONGEST_NS]:
            del self._messages[each]
        while len(self._messages) > 1 and self._count_bytes() > _MOST_BYTES:
            self._messages.popitem(last=False)

    def take(self, stamp_ns: int) -> Message | None:
        """Return the message with this timestamp, if any; drop it and older ones."""
        message = self._messages.get(stamp_ns)
        self._drop_until(stamp_ns)
        return message

    def take_newest(self, stamp_ns: int) -> Message | None:
        """Return the newest message up to a timestamp, if any; drop it and older ones."""
        newest_ns = max((each for each in self._messages if each <= stamp_ns), default=None)
        message = None if newest_ns is None else self._messages[newest_ns]
        self._drop_until(stamp_ns)
        return message

    def _drop_until(self, stamp_ns: int) -> None:
        for each in [each for each in self._messages if each <= stamp_ns]:
            del self._messages[each]

    def _count_bytes(self) -> int:
        return sum(len(getattr(each, "data", ())) for each in self._messages.values())


def _newest_camera(infos: Sequence[Message]) -> Camera | None:
    """Return the camera of the newest calibration; None without a valid one."""
    with suppress(ValueError):  # smpler_node reports what is wrong
        return camera_from_info(infos[-1], note=lambda _: None) if infos else None
    return None
