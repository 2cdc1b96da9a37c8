"""Poses of a bag's cameras in a fixed frame, from its transforms."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from smpler_model.bags.person_frames import without_people
from smpler_model.bags.reader import BagMessage, BagReader
from smpler_model.cameras.messages import NS_PER_S
from smpler_model.cameras.transform_buffer import Lookup, TransformBuffer
from smpler_model.frames import CameraPose, Frame
from smpler_model.source import SourceError

STATIC, MOVING = "/tf_static", "/tf"
TRANSFORM_TYPES = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")

AHEAD_NS = 2 * NS_PER_S
"""An image's transforms are recorded up to this long after it."""


class BagPoses:
    """Poses of cameras at the times of images in order. State: the place in the bag's transforms.

    Static transforms hold from the start of the bag on, wherever they were recorded.
    """

    def __init__(self, reader: BagReader, fixed_frame: str) -> None:
        """Read the static transforms.

        Args:
            reader: reader of the bag.
            fixed_frame: name of the fixed frame.
        """
        self._fixed_frame = fixed_frame.removeprefix("/")
        self._buffer = TransformBuffer()
        for each in read_transforms(reader, STATIC):
            self._buffer.add(each.message, is_static=True)
        self._moving = read_transforms(reader, MOVING)
        self._next = next(self._moving, None)

    def add_to(
        self, frames: Iterable[tuple[str, Frame]], miss: Callable[[str, str], object]
    ) -> Iterator[tuple[str, Frame]]:
        """Yield the frames with the poses of their cameras.

        Args:
            frames: image topic and frame, in the order of the stamps.
            miss: called with the image topic and the reason if a pose is unknown; the frame then
                has none.
        """
        for name, frame in frames:
            found = self._find(frame)
            if found.target_from_source is None:
                miss(
                    name,
                    f"people have no position and velocity in '{self._fixed_frame}', because the "
                    f"camera's pose in it is unknown: {found.reason}",
                )
                yield name, frame
            else:
                pose = CameraPose(self._fixed_frame, found.target_from_source)
                yield name, replace(frame, pose=pose)

    def _find(self, frame: Frame) -> Lookup:
        """Look up a camera's pose, and read on as long as its transforms may come.

        How far is a matter of recording times: the stamps of a publisher may be of another clock.
        """
        while True:
            found = self._buffer.find(self._fixed_frame, frame.frame_id, frame.stamp_ns)
            following = self._next
            if found.target_from_source is not None or following is None:
                return found
            if following.time_ns > frame.recorded_ns + AHEAD_NS:
                return found
            self._buffer.add(following.message, is_static=False)
            self._next = next(self._moving, None)


def has_transforms(reader: BagReader) -> bool:
    """Return whether a bag has topics of transforms."""
    return not reader.topics.keys().isdisjoint((STATIC, MOVING))


def read_transforms(reader: BagReader, topic: str) -> Iterator[BagMessage]:
    """Yield a topic's `tf2_msgs/TFMessage` in recording order, without the frames of people.

    Args:
        reader: reader of the bag.
        topic: `STATIC` or `MOVING`; of one that is missing or of another type, nothing is read.
    """
    if topic not in reader.topics or reader.topics[topic].type not in TRANSFORM_TYPES:
        return
    try:
        for each in reader.read_messages([topic]):
            without_people(each.message)
            yield each
    except SourceError:
        return  # where the bag is truncated, its images end too, which is reported
