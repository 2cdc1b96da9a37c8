"""Copies the input's transforms to the output, so that viewers can place people."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from smpler_model.bags.camera_poses import AHEAD_NS, MOVING, STATIC, read_transforms
from smpler_model.bags.reader import BagMessage, BagReader
from smpler_model.bags.stamp_order import REWIND_NS
from smpler_model.cameras.messages import NS_PER_S, Message, stamp_ns_of
from smpler_model.frames import Frame
from smpler_ros.bags.segments import SegmentedBag
from smpler_ros.messages.convert import header_message, set_transform
from smpler_ros.messages.message_types import MESSAGE_NAMES, MessageTypes

_SAME_CLOCK_NS = 5 * NS_PER_S
"""A stamp that differs by more from its recording time, in the images' clock, is of another."""


class _Clock(NamedTuple):
    """An image's timestamp, and when it was recorded."""

    image_ns: int
    recorded_ns: int

    def off_by(self, sent_ns: int, recorded_ns: int) -> int:
        """Return how far a stamp is from what its recording time is in this clock."""
        return abs(sent_ns - (self.image_ns + recorded_ns - self.recorded_ns))


class TransformCopy:
    """Copies `/tf` and `/tf_static` along with the frames.

    Which of them come before an image is a matter of recording times: the stamps of a publisher
    may be of another clock. Recorded frames of people from a node are left out; the results
    replace them.

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
        self._static = read_transforms(reader, STATIC) if static else iter(())
        self._moving = islice(read_transforms(reader, MOVING), skip, None)
        self._next = next(self._moving, None)
        self._clock = _Clock(0, 0)
        self._earlier: _Clock | None = None

    def follow(self, frame: Frame) -> None:
        """Take the next image as the one up to which transforms are copied."""
        last, self._clock = self._clock, _Clock(frame.stamp_ns, frame.recorded_ns)
        self._earlier = last if frame.stamp_ns < last.image_ns - REWIND_NS else None

    def copy(self, bag: SegmentedBag, *, is_last: bool = False) -> None:
        """Write transforms recorded before the image; static ones before the first image.

        Args:
            bag: the output.
            is_last: whether no image follows; its transforms may be recorded after it.
        """
        for each in self._static:
            _write(bag, STATIC, self._clock.image_ns, each.message)
        end_ns = self._clock.recorded_ns + (AHEAD_NS if is_last else 0)
        while self._next is not None and self._next.time_ns <= end_ns:
            _write(bag, MOVING, self._time_of(self._next), self._next.message)
            self.count += 1
            self._next = next(self._moving, None)

    def _time_of(self, each: BagMessage) -> int:
        """Return the time to write transforms at: their stamp, but not after the image.

        If the stamp is of another clock, it is the image's time. Where the clock was set back,
        some transforms that come with the first image after that are of the time before.
        """
        image_ns = self._clock.image_ns
        if not each.message.transforms:
            return image_ns
        sent_ns = stamp_ns_of(each.message.transforms[0])
        off_ns = self._clock.off_by(sent_ns, each.time_ns)
        if self._earlier and self._earlier.off_by(sent_ns, each.time_ns) < off_ns:
            return sent_ns
        return image_ns if off_ns > _SAME_CLOCK_NS else min(sent_ns, image_ns)


def _write(bag: SegmentedBag, topic: str, time_ns: int, message: Message) -> None:
    if not message.transforms:  # those of people were left out
        return
    copy = _copy(bag.types, message)
    bag.write(topic, MESSAGE_NAMES["tf_message"], time_ns, copy, latched=topic == STATIC)


def _copy(types: MessageTypes, message: Message) -> Message:
    """Return the message in ROS 2 classes, even if it is from ROS 1."""
    transforms = []
    for given in message.transforms:
        header = header_message(types, stamp_ns_of(given), given.header.frame_id)
        transform = types.transform_stamped(header=header, child_frame_id=given.child_frame_id)
        place, turn = given.transform.translation, given.transform.rotation
        set_transform(
            transform.transform, [place.x, place.y, place.z, turn.x, turn.y, turn.z, turn.w]
        )
        transforms.append(transform)
    return types.tf_message(transforms=transforms)
