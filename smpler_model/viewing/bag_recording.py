"""Reads people from a bag, with images, ground truth and transforms if it contains them."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from smpler_model.array_types import Floats
from smpler_model.bags.camera_poses import MOVING, STATIC, has_transforms, read_transforms
from smpler_model.bags.cameras import shared_parts
from smpler_model.bags.people_topics import PEOPLE_TYPE, find_truth_topics, people_from_message
from smpler_model.bags.reader import BagReader
from smpler_model.cameras.camera import Camera
from smpler_model.cameras.frame_tree import FrameTree, Link, links_of
from smpler_model.cameras.messages import camera_from_info, stamp_ns_of
from smpler_model.frames import People
from smpler_model.settings.world import FUSED
from smpler_model.source import SourceError
from smpler_model.viewing.by_stamp import ByStamp
from smpler_model.viewing.recording import RecordedFrame, Recording
from smpler_model.viewing.stored_images import StoredImages

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"

_TOLERANCE_NS = 1_000_000  # between the stamps of an image and of its truth
_ASSUMED_SIZE = (640, 480)

Advance = Callable[[], object]
"""Called after each image is read."""


def has_people(reader: BagReader) -> bool:
    """Return whether a bag contains estimated people."""
    return bool(_estimates(reader) or find_fused(reader))


def find_fused(reader: BagReader) -> str:
    """Return the topic of the fused people of several cameras in a bag; empty if it has none."""
    return next(filter(_is_fused, _people_topics(reader)), "")


def read_bag(
    people_bag: BagReader, image_bag: BagReader, image_topic: str, advance: Advance
) -> Recording:
    """Return the recording of one camera in a bag.

    Args:
        people_bag: bag with the people.
        image_bag: bag with images and ground truth: the same one, or the bag that the people were
            estimated from.
        image_topic: image topic; if empty, the only one, if any.
        advance: called after each image.

    Raises:
        SourceError: the bag contains no people, or no such image topic.
    """
    image = _choose_image(image_bag, image_topic)
    topic = _choose_people(people_bag, image)
    frames = list(read_people(people_bag, topic))
    if not frames:
        raise SourceError(
            f"{people_bag.path} must contain people on {topic}, got no readable message; "
            "record it again"
        )
    images, cameras = StoredImages(), dict(_read_cameras(people_bag, topic))
    if image:
        camera_topics = image_bag.choose_camera(image)
        with suppress(SourceError):  # of a truncated bag, show what can be read
            for _, frame in image_bag.read_frames([camera_topics]):
                images.add(frame.stamp_ns, frame.rgb)
                if frame.camera is not None:
                    cameras.setdefault(frame.stamp_ns, frame.camera)
                else:
                    cameras.setdefault(-1, _unknown(frame.rgb.shape[1], frame.rgb.shape[0]))
                advance()
    images.match([each.stamp_ns for each in frames])
    truths = _read_truths(image_bag, image or topic)
    poses = _find_poses(image_bag if has_transforms(image_bag) else people_bag, frames)
    recorded, calibrations = [], ByStamp(cameras)
    for (stamp_ns, _, _, people), pose in zip(frames, poses, strict=True):
        camera = calibrations.nearest(stamp_ns) or _unknown(*_ASSUMED_SIZE)
        if not camera.calibrated and not camera_known(cameras):
            camera = camera_of_people(camera, people)
        truth = nearest_truth(truths, stamp_ns)
        recorded.append(RecordedFrame(stamp_ns, camera, people, truth, pose))
    return Recording(people_bag.path.name, recorded, images if len(images) else None)


def camera_known(cameras: dict[int, Camera]) -> bool:
    """Return whether the bag contains a calibration."""
    return any(stamp_ns >= 0 for stamp_ns in cameras)


def camera_of_people(camera: Camera, people: People) -> Camera:
    """Return the camera with the focal length that was used to place people.

    Without calibration, people are placed with an assumed focal length that no message contains.
    Here it is recovered: with it, joints project to keypoints, by least squares.
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
    """Return a camera of which only the image size is known; the focal length equals the width."""
    return Camera(width, height, width, width, (width - 1) / 2, (height - 1) / 2, calibrated=False)


def _estimates(reader: BagReader) -> list[str]:
    return [name for name in _people_topics(reader) if not _is_fused(name)]


def _people_topics(reader: BagReader) -> list[str]:
    return [
        name
        for name, topic in reader.topics.items()
        if topic.type == PEOPLE_TYPE and topic.count and "truth" not in name
    ]


def _is_fused(topic: str) -> bool:
    return topic.endswith(f"/{FUSED}/people")


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


class StampedPeople(NamedTuple):
    """People of a message.

    Attributes:
        stamp_ns: timestamp, nanoseconds.
        frame_id: frame in which they are.
        fixed_frame: frame of their positions and velocities; empty without one.
        people: the people.
    """

    stamp_ns: int
    frame_id: str
    fixed_frame: str
    people: People


def read_people(reader: BagReader, topic: str) -> Iterator[StampedPeople]:
    """Yield the people of a topic's messages, as far as they can be read.

    Raises:
        ValueError: messages with other fields than those of this version.
    """
    with suppress(SourceError):  # of a truncated bag, show what can be read
        for each in reader.read_messages([topic]):
            try:
                people = people_from_message(each.message)
            except (AttributeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{topic} must hold {PEOPLE_TYPE} with the fields of this version, got "
                    f"others ({error}); find the people again"
                ) from error
            header, fixed_frame = each.message.header, getattr(each.message, "fixed_frame", "")
            yield StampedPeople(stamp_ns_of(each.message), header.frame_id, fixed_frame, people)


def _read_cameras(reader: BagReader, people: str) -> Iterator[tuple[int, Camera]]:
    """Yield the calibrations recorded next to people, with their timestamps."""
    topic = f"{people.rpartition('/')[0]}/camera_info"
    if topic not in reader.topics or reader.topics[topic].type != CAMERA_INFO:
        return
    with suppress(SourceError):
        for each in reader.read_messages([topic]):
            with suppress(ValueError):  # an invalid calibration
                camera = camera_from_info(each.message, note=lambda _: None)
                if camera is not None:
                    yield stamp_ns_of(each.message), camera


def _read_truths(reader: BagReader, camera: str) -> ByStamp[People]:
    images = [each.image for each in reader.cameras]  # each has the topic most like its own
    topics = find_truth_topics(reader, images if camera in images else [camera], "")
    if camera not in topics:
        return ByStamp({})
    found = read_people(reader, topics[camera])
    return ByStamp({each.stamp_ns: each.people for each in found})


def nearest_truth(truths: ByStamp[People], stamp_ns: int) -> People | None:
    """Return the ground truth at an image's timestamp, which may be rounded."""
    return truths.nearest(stamp_ns, _TOLERANCE_NS)


def _find_poses(reader: BagReader, frames: Sequence[StampedPeople]) -> list[Floats | None]:
    """Return the pose of each frame's camera (4, 4), metres; see `FrameTree.world_from`.

    A transform holds from its stamp on until the next one of its frame, in whatever order they
    were recorded. Of those between two frames only the last ones are kept.
    """
    tree = FrameTree()
    for each in read_transforms(reader, STATIC):
        tree.add(each.message)
    order = sorted(range(len(frames)), key=lambda row: frames[row].stamp_ns)
    stamps_ns = [frames[row].stamp_ns for row in order]
    changes: list[dict[str, Link]] = [{} for _ in order]
    for each in read_transforms(reader, MOVING):
        for link in links_of(each.message):
            place = bisect_left(stamps_ns, link.stamp_ns)
            if place == len(order):
                continue  # newer than all frames
            known = changes[place].get(link.child)
            if known is None or known.stamp_ns <= link.stamp_ns:
                changes[place][link.child] = link
    poses: list[Floats | None] = [None] * len(frames)
    for row, links in zip(order, changes, strict=True):
        for link in links.values():
            tree.set(link)
        poses[row] = tree.world_from(frames[row].frame_id, frames[row].fixed_frame)
    return poses
