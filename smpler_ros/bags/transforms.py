"""Copies the input's transforms to the output, so that viewers can place people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from smpler_model.bags.person_frames import is_person_frame
from smpler_model.bags.reader import BagReader, SourceError
from smpler_model.bags.stamp_order import REWIND_NS
from smpler_model.cameras.messages import stamp_ns_of
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.messages.convert import header_message, set_transform
from smpler_ros.messages.message_types import MESSAGE_NAMES, Message, MessageTypes

STATIC, MOVING = "/tf_static", "/tf"

_TYPES = (MESSAGE_NAMES["tf_message"], "tf/msg/tfMessage")


class TransformCopy:
    """Copies `/tf` and `/tf_static` along with the frames.

    Recorded frames of people from a node are left out; the results replace them.

    Attributes:
        count: number of `/tf` messages read so far.
    """

    def __init__(self, reader: BagReader, skip: int = 0, *, static: bool = True) -> None:
        """Open the topics of transforms.

        Args:
            reader: reader of the input.
            skip: number of `/tf` messages that an earlier run has read.
            static: whether `/tf_static` is still to be copied.
        """
        self.count = skip
        self._static = _read(reader, STATIC) if static else iter(())
        self._moving = islice(_read(reader, MOVING), skip, None)
        self._next: Message | None = None
        self._image_ns: int | None = None

    def copy_until(self, stamp_ns: int, bag: SegmentedBag) -> None:
        """Write transforms sent before an image; static ones before the first image.

        When the clock was set back, the remaining ones of the previous pass are written first.
        """
        for message in self._static:
            _write(bag, STATIC, stamp_ns, message)
        last_ns, self._image_ns = self._image_ns, stamp_ns
        if last_ns is not None and stamp_ns < last_ns - REWIND_NS:
            self._write_while(lambda sent_ns: sent_ns >= last_ns - REWIND_NS, last_ns, bag)
        self._write_while(lambda sent_ns: sent_ns <= stamp_ns, stamp_ns, bag)

    def _write_while(
        self, is_wanted: Callable[[int], bool], otherwise_ns: int, bag: SegmentedBag
    ) -> None:
        while (message := self._next or next(self._moving, None)) is not None:
            sent_ns = _stamp_of(message, otherwise_ns)
            if not is_wanted(sent_ns):
                self._next = message
                return
            self._next = None
            self.count += 1
            _write(bag, MOVING, sent_ns, message)


def _read(reader: BagReader, topic: str) -> Iterator[Message]:
    if topic not in reader.topics or reader.topics[topic].type not in _TYPES:
        return
    try:
        for each in reader.read_messages([topic]):
            yield each.message
    except SourceError:
        return  # where the bag is truncated, its images end too, which is reported


def _write(bag: SegmentedBag, topic: str, stamp_ns: int, message: Message) -> None:
    copy = _copy(bag.types, message)
    if len(message.transforms) and not copy.transforms:
        return
    bag.write(topic, MESSAGE_NAMES["tf_message"], stamp_ns, copy, latched=topic == STATIC)


def _copy(types: MessageTypes, message: Message) -> Message:
    """Return the message in ROS 2 classes, even if it is from ROS 1, without people's frames."""
    transforms = []
    for given in message.transforms:
        if is_person_frame(given.child_frame_id):
            continue
        header = header_message(types, stamp_ns_of(given), given.header.frame_id)
        transform = types.transform_stamped(header=header, child_frame_id=given.child_frame_id)
        place, turn = given.transform.translation, given.transform.rotation
        set_transform(
            transform.transform, [place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w]
        )
        transforms.append(transform)
    return types.tf_message(transforms=transforms)


def _stamp_of(message: Message, otherwise_ns: int) -> int:
    return stamp_ns_of(message.transforms[0]) if len(message.transforms) else otherwise_ns
