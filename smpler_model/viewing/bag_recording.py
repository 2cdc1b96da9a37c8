"""People in a bag, with images, ground truth and transforms where it has them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.bags.people_topics import (
    PEOPLE_TYPE,
    find_truth_topics,
    people_from_message,
    shared_parts,
)
from smpler_model.bags.reader import BagReader
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import FrameTree
from smpler_model.cameras.messages import camera_from_info, stamp_ns_of
from smpler_model.frames import People
from smpler_model.source import SourceError
from smpler_model.viewing.recording import RecordedFrame, Recording
from smpler_model.viewing.stored_images import StoredImages

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
TRANSFORMS = ("/tf_static", "/tf")

_TRANSFORM_TYPES = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")
_TOLERANCE_NS = 1_000_000  # between the stamps of an image and of its truth
_ASSUMED_SIZE = (640, 480)

Advance = Callable[[], object]
"""Called after each image that was read."""


def has_people(reader: BagReader) -> bool:
    """Return whether a bag has people that were estimated."""
    return bool(_estimates(reader))


def read_bag(
    people_bag: BagReader, image_bag: BagReader, image_topic: str, advance: Advance
) -> Recording:
    """Return what a bag holds of one camera.

    Args:
        people_bag: bag of the people.
        image_bag: bag of the images and of the ground truth: the same, or that in which the
            people were found.
        image_topic: topic of the images; empty for the only one, or for none.
        advance: called after each image.

    Raises:
        SourceError: no people, or no such images.
    """
    image = _choose_image(image_bag, image_topic)
    topic = _choose_people(people_bag, image)
    frames = list(_read_people(people_bag, topic))
    if not frames:
        raise SourceError(
            f"{people_bag.path} must hold people on {topic}, got no message that can be read; "
            "record it again"
        )
    images, cameras = StoredImages(), dict(_read_cameras(people_bag, topic))
    if image:
        camera_topics = image_bag.choose_camera(image)
        with suppress(SourceError):  # where a bag breaks off, what was read is shown
            for _, frame in image_bag.read_frames([camera_topics]):
                images.add(frame.stamp_ns, frame.rgb)
                if frame.camera is not None:
                    cameras.setdefault(frame.stamp_ns, frame.camera)
                else:
                    cameras.setdefault(-1, _unknown(frame.rgb.shape[1], frame.rgb.shape[0]))
                advance()
    images.match([stamp_ns for stamp_ns, _, _ in frames])
    truths = _read_truths(image_bag, image or topic)
    poses = _CameraPoses(image_bag if image_bag.topics.keys() & set(TRANSFORMS) else people_bag)
    recorded = []
    for stamp_ns, frame_id, people in frames:
        camera = _nearest(cameras, stamp_ns) or _unknown(*_ASSUMED_SIZE)
        if not camera.calibrated and not camera_known(cameras):
            camera = camera_of_people(camera, people)
        recorded.append(
            RecordedFrame(
                stamp_ns,
                camera,
                people,
                _exactly(truths, stamp_ns),
                poses.at(stamp_ns, frame_id),
            )
        )
    return Recording(people_bag.path.name, recorded, images if len(images) else None)


def camera_known(cameras: dict[int, Camera]) -> bool:
    """Return whether any camera was recorded."""
    return any(stamp_ns >= 0 for stamp_ns in cameras)


def camera_of_people(camera: Camera, people: People) -> Camera:
    """Return the camera with the focal length that people were placed with.

    It is the one that projects their joints to their keypoints, by least squares; people before a
    camera without calibration were placed with an assumed one that no message holds.
    """
    joints, keypoints = people.joints_m.reshape(-1, 3), people.keypoints_px.reshape(-1, 2)
    seen = np.isfinite(keypoints).all(1) & (joints[:, 2] > 0)
    plane = joints[seen, :2] / joints[seen, 2:]
    offsets = keypoints[seen] - (camera.cx, camera.cy)
    if not seen.any() or not (plane**2).sum():
        return camera
    focal = float((plane * offsets).sum() / (plane**2).sum())
    if not np.isfinite(focal) or focal <= 0:
        return camera
    size = (camera.width, camera.height)
    return Camera(*size, focal, focal, camera.cx, camera.cy, calibrated=False)


def _unknown(width: int, height: int) -> Camera:
    """Return a camera of a size of which nothing else is known: as wide as it is deep."""
    return Camera(width, height, width, width, (width - 1) / 2, (height - 1) / 2, calibrated=False)


def _estimates(reader: BagReader) -> list[str]:
    return [
        name
        for name, topic in reader.topics.items()
        if topic.type == PEOPLE_TYPE and topic.count and "truth" not in name
    ]


def _choose_image(reader: BagReader, wanted: str) -> str:
    if not reader.cameras and not wanted:
        return ""
    return reader.choose_camera(wanted).image


def _choose_people(reader: BagReader, image: str) -> str:
    topics = _estimates(reader)
    if not topics:
        raise SourceError(
            f"{reader.path} must hold people ({PEOPLE_TYPE}), got none; find them with "
            "evaluate_bag or smpler run"
        )
    return max(topics, key=lambda topic: shared_parts(image, topic))


def _read_people(reader: BagReader, topic: str) -> Iterator[tuple[int, str, People]]:
    with suppress(SourceError):  # where a bag breaks off, what was read is shown
        for each in reader.read_messages([topic]):
            try:
                people = people_from_message(each.message)
            except (AttributeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{topic} must hold {PEOPLE_TYPE} with the fields of this version, got "
                    f"others ({error}); find the people again"
                ) from error
            yield stamp_ns_of(each.message), each.message.header.frame_id, people


def _read_cameras(reader: BagReader, people: str) -> Iterator[tuple[int, Camera]]:
    """Give the calibrations beside people, by their stamps."""
    topic = f"{people.rpartition('/')[0]}/camera_info"
    if topic not in reader.topics or reader.topics[topic].type != CAMERA_INFO:
        return
    with suppress(SourceError):
        for each in reader.read_messages([topic]):
            with suppress(ValueError):  # a calibration of no camera
                camera = camera_from_info(each.message, note=lambda _: None)
                if camera is not None:
                    yield stamp_ns_of(each.message), camera


def _read_truths(reader: BagReader, camera: str) -> dict[int, People]:
    topics = find_truth_topics(reader, [camera], "")
    if camera not in topics:
        return {}
    return {stamp: people for stamp, _, people in _read_people(reader, topics[camera])}


def _nearest(cameras: dict[int, Camera], stamp_ns: int) -> Camera | None:
    if stamp_ns in cameras:
        return cameras[stamp_ns]
    nearest = min(cameras, key=lambda each: abs(each - stamp_ns), default=None)
    return None if nearest is None else cameras[nearest]


def _exactly(truths: dict[int, People], stamp_ns: int) -> People | None:
    """Return the truth of an image, whose stamp may be rounded."""
    if stamp_ns in truths or not truths:
        return truths.get(stamp_ns)
    nearest = min(truths, key=lambda each: abs(each - stamp_ns))
    return truths[nearest] if abs(nearest - stamp_ns) <= _TOLERANCE_NS else None


class _CameraPoses:
    """Where a camera was, by the transforms of a bag. Asked for in the order of time."""

    def __init__(self, reader: BagReader) -> None:
        self._tree = FrameTree()
        static, moving = (list(self._read(reader, name)) for name in TRANSFORMS)
        for _, message in static:
            self._tree.add(message)
        self._moving = iter(sorted(moving, key=lambda each: each[0]))
        self._next = next(self._moving, None)

    def at(self, stamp_ns: int, frame_id: str) -> Floats | None:
        """Return (4, 4) world from a frame, metres; None where no transform leads to a floor."""
        while self._next is not None and self._next[0] <= stamp_ns:
            self._tree.add(self._next[1])
            self._next = next(self._moving, None)
        return self._tree.world_from(frame_id)

    def _read(self, reader: BagReader, topic: str) -> Iterator[tuple[int, object]]:
        if topic not in reader.topics or reader.topics[topic].type not in _TRANSFORM_TYPES:
            return
        with suppress(SourceError):
            for each in reader.read_messages([topic]):
                transforms: Sequence[object] = each.message.transforms
                if len(transforms):
                    yield stamp_ns_of(transforms[0]), each.message
