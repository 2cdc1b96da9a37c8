"""A recording of people fused from several cameras, with the images of all cameras."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.bags.camera_poses import BagPoses, has_transforms
from smpler_model.bags.people_topics import find_truth_topics
from smpler_model.bags.reader import BagReader
from smpler_model.cameras.camera import Camera
from smpler_model.frames import Frame, People
from smpler_model.people.common_frame import join_truths, move_people
from smpler_model.source import SourceError
from smpler_model.viewing.bag_recording import nearest_truth, read_people
from smpler_model.viewing.by_stamp import ByStamp
from smpler_model.viewing.moments import Moment, Shot
from smpler_model.viewing.stored_images import StoredImages

OLDEST_NS = 1_000_000_000
"""Age from which on a camera's last image is not shown."""

_FIXED = np.eye(4)


class CameraMoment(NamedTuple):
    """A camera at the time of an image, and the true people in it.

    Attributes:
        camera: the camera.
        fixed_from_camera: (4, 4) its pose, metres.
        truth: true people in the fixed frame; None if unknown.
    """

    camera: Camera
    fixed_from_camera: Floats
    truth: People | None


@dataclass
class CameraViews:
    """The images of one camera in the order of their stamps.

    Attributes:
        stamps_ns: stamps of the images, nanoseconds.
        views: what is known of each.
        images: the images.
    """

    stamps_ns: list[int] = field(default_factory=list)
    views: list[CameraMoment] = field(default_factory=list)
    images: StoredImages = field(default_factory=StoredImages)

    def newest(self, stamp_ns: int) -> int | None:
        """Return the number of the last image at a time, if it is not old."""
        number = int(np.searchsorted(self.stamps_ns, stamp_ns, side="right")) - 1
        if number < 0 or stamp_ns - self.stamps_ns[number] > OLDEST_NS:
            return None
        return number


class FusedRecording:
    """The fused people of all moments. Everything is in the fixed frame, whose z is up.

    Attributes:
        title: name of the recording.
        stamps_ns: (m,) int64 stamps of the moments.
        cameras: names of the cameras.
    """

    def __init__(
        self, title: str, moments: Sequence[tuple[int, People]], cameras: dict[str, CameraViews]
    ) -> None:
        """Prepare.

        Args:
            title: name of the recording.
            moments: stamp and people of each moment, in order; at least one.
            cameras: the cameras' images by name.
        """
        self.title = title
        self.stamps_ns = np.array([stamp_ns for stamp_ns, _ in moments], np.int64)
        self.cameras = tuple(cameras)
        self._moments, self._views = moments, cameras

    def __len__(self) -> int:
        return len(self._moments)

    @property
    def people(self) -> People:
        """The people of the first moment that has any; else none."""
        found = (people for _, people in self._moments if len(people))
        return next(found, self._moments[0][1])

    def moment(self, index: int, *, image: bool = True) -> Moment:
        """Return a moment with the last image of each camera.

        Args:
            index: its number, from 0.
            image: whether to read the images, which takes most of the time.
        """
        stamp_ns, people = self._moments[index]
        shots, truths = [], []
        for name, camera in self._views.items():
            number = camera.newest(stamp_ns)
            if number is None:
                continue
            view = camera.views[number]
            rgb = camera.images.read(number) if image else None
            shots.append(Shot(name, view.camera, view.fixed_from_camera, rgb))
            truths += [] if view.truth is None else [view.truth]
        truth = join_truths(truths) if truths else None
        return Moment(stamp_ns, None, people, _FIXED, truth=truth, shots=tuple(shots))


def read_fused(
    people_bag: BagReader, image_bag: BagReader, topic: str, advance: Callable[[], object]
) -> FusedRecording:
    """Return the recording of the fused people in a bag.

    Cameras that are not calibrated, or whose pose in the fixed frame is unknown, are left out.

    Args:
        people_bag: bag with the people.
        image_bag: bag with images, transforms and ground truth; may be the same one.
        topic: topic of the fused people.
        advance: called after each image.

    Raises:
        SourceError: no message of the topic can be read.
    """
    found = list(read_people(people_bag, topic))
    if not found:
        raise SourceError(
            f"{people_bag.path} must contain people on {topic}, got no readable message; "
            "record it again"
        )
    fixed_frame = found[0].frame_id
    truths = _read_truths(image_bag)
    names = short_names([camera.image for camera in image_bag.cameras])
    cameras: defaultdict[str, CameraViews] = defaultdict(CameraViews)
    for image, frame in _read_frames(people_bag, image_bag, fixed_frame):
        advance()
        if frame.camera is None or frame.pose is None:
            continue
        pose, views = frame.pose.fixed_from_camera, cameras[names[image]]
        truth = nearest_truth(truths.get(image, ByStamp({})), frame.stamp_ns)
        truth = None if truth is None else move_people(truth, pose)
        views.stamps_ns.append(frame.stamp_ns)
        views.views.append(CameraMoment(frame.camera, pose, truth))
        views.images.add(frame.stamp_ns, frame.rgb)
    for views in cameras.values():
        views.images.match(views.stamps_ns)
    ordered = {name: cameras[name] for name in names.values() if name in cameras}
    moments = [(each.stamp_ns, each.people) for each in found]
    return FusedRecording(people_bag.path.name, moments, ordered)


def _read_frames(
    people_bag: BagReader, image_bag: BagReader, fixed_frame: str
) -> Iterator[tuple[str, Frame]]:
    """Yield image topics and images, with the cameras' poses."""
    if not image_bag.cameras:
        return
    poses = BagPoses(image_bag if has_transforms(image_bag) else people_bag, fixed_frame)
    with suppress(SourceError):  # of a truncated bag, show what can be read
        frames = image_bag.read_frames(image_bag.cameras)
        yield from poses.add_to(frames, lambda topic, reason: None)


def _read_truths(reader: BagReader) -> dict[str, ByStamp[People]]:
    """Return true people by image topic and stamp."""
    images = [camera.image for camera in reader.cameras]
    topics: dict[str, str] = {}
    if images:
        with suppress(SourceError):  # topics that belong to no camera, or to several
            topics = find_truth_topics(reader, images, "")
    return {
        image: ByStamp({each.stamp_ns: each.people for each in read_people(reader, topic)})
        for image, topic in topics.items()
    }


def short_names(topics: Sequence[str]) -> dict[str, str]:
    """Return what distinguishes topics: `left` and `right` of `/left/image`, `/right/image`."""
    parts = {topic: topic.strip("/").split("/") for topic in topics}
    while len(parts) > 1 and min(map(len, parts.values())) > 1:
        if len({each[0] for each in parts.values()}) == 1:
            parts = {topic: each[1:] for topic, each in parts.items()}
        elif len({each[-1] for each in parts.values()}) == 1:
            parts = {topic: each[:-1] for topic, each in parts.items()}
        else:
            break
    return {topic: "/".join(each) for topic, each in parts.items()}
