"""Combines the messages of several cameras: fused people, and the cameras that see them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from smpler_model.bags.people_topics import people_from_message
from smpler_model.bags.person_frames import without_people
from smpler_model.cameras.frame_reader import FrameReader, ImageSettings
from smpler_model.cameras.messages import CameraInfos, Message, stamp_ns_of
from smpler_model.cameras.transform_buffer import TransformBuffer
from smpler_model.frames import People
from smpler_model.people.common_frame import join_truths, move_people
from smpler_model.viewing.fused_recording import OLDEST_NS
from smpler_model.viewing.moments import Moment, Shot
from smpler_ros.viewer.live_moments import Waiting

_FIXED = np.eye(4)


@dataclass
class _Camera:
    """What came from a camera, and what it last showed."""

    reader: FrameReader
    images: Waiting = field(default_factory=Waiting)
    truths: Waiting = field(default_factory=Waiting)
    infos: CameraInfos = field(default_factory=CameraInfos)
    shot: Shot | None = None
    truth: People | None = None
    stamp_ns: int = 0


class LiveFusedMoments:
    """Turns fused people and the messages of their cameras into moments.

    Everything is in the fixed frame. State: undecoded images and ground truth waiting for people,
    the latest calibrations and images, and transforms.

    Attributes:
        names: names of the cameras.
    """

    def __init__(self, names: Sequence[str], images: ImageSettings | None = None) -> None:
        """Prepare.

        Args:
            names: names of the cameras.
            images: properties of their images.
        """
        self.names = tuple(names)
        self._cameras = {name: _Camera(FrameReader(images, name=name)) for name in names}
        self._transforms = TransformBuffer()
        self._lacks_transforms = False

    def add_image(self, name: str, message: Message) -> None:
        """Store an image of a camera, to be decoded when people arrive."""
        self._cameras[name].images.add(message)

    def add_truth(self, name: str, message: Message) -> None:
        """Store the true people before a camera, a `SmplPersonArray`."""
        self._cameras[name].truths.add(message)

    def add_info(self, name: str, message: Message) -> None:
        """Store a calibration of a camera."""
        self._cameras[name].infos.add(message)

    def add_transforms(self, message: Message, *, is_static: bool) -> None:
        """Store transforms, except those of people's joints."""
        self._transforms.add(without_people(message), is_static=is_static)

    def lacks_transforms(self, people: Message) -> bool:
        """Return whether a camera was left out of the last moment, as its pose is unknown."""
        del people
        return self._lacks_transforms

    def add_people(self, message: Message) -> Moment:
        """Return the moment of a `SmplPersonArray` of fused people.

        It has the last image of each camera up to its stamp. Cameras that are not calibrated, or
        whose pose is unknown, are left out.
        """
        stamp_ns, fixed_frame = stamp_ns_of(message), message.header.frame_id
        self._lacks_transforms = False
        for name, camera in self._cameras.items():
            self._look(name, camera, stamp_ns, fixed_frame)
        shown = [each for each in self._cameras.values() if each.shot is not None]
        truths = [each.truth for each in shown if each.truth is not None]
        return Moment(
            stamp_ns=stamp_ns,
            camera=None,
            people=people_from_message(message),
            world_from_camera=_FIXED,
            truth=join_truths(truths) if truths else None,
            shots=tuple(each.shot for each in shown if each.shot is not None),
        )

    def _look(self, name: str, camera: _Camera, stamp_ns: int, fixed_frame: str) -> None:
        """Take a camera's newest image, if there is one, and its truth."""
        image = camera.images.take_newest(stamp_ns)
        if not 0 <= stamp_ns - camera.stamp_ns <= OLDEST_NS:
            camera.shot = camera.truth = None
        if image is None:
            return
        camera.shot = camera.truth = None
        try:
            frame = camera.reader.read(image, camera.infos.all())
        except ValueError:  # smpler_node reads the same images, and reports what is wrong
            return
        found = self._transforms.find(fixed_frame, frame.frame_id, frame.stamp_ns)
        pose = found.target_from_source
        self._lacks_transforms |= pose is None
        if frame.camera is None or pose is None:
            return
        camera.stamp_ns = frame.stamp_ns
        camera.shot = Shot(name, frame.camera, pose, frame.rgb)
        truth = camera.truths.take(frame.stamp_ns)
        if truth is not None:
            camera.truth = move_people(people_from_message(truth), pose)
