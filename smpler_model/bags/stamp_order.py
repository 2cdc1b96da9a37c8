"""Sorts the messages of several topics by timestamp, with a small buffer."""

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from smpler_model.cameras.messages import Message
from smpler_model.cameras.stamp_matching import partner_of

WINDOW = 8
"""Messages per topic that are buffered to sort late ones by timestamp."""

REWIND_NS = 1_000_000_000
"""A timestamp this far before the latest one means that the clock was set back."""


def check_order(stamp_ns: int, last_ns: int | None) -> None:
    """Refuse an image that is repeated or slightly late; far earlier means a clock set back.

    The sentences contain neither time nor delay, so that equal ones can be counted.

    Args:
        stamp_ns: timestamp of the image.
        last_ns: timestamp of the previous image, None for the first.

    Raises:
        ValueError: the timestamp equals the last one, or is earlier by up to `REWIND_NS`.
    """
    if stamp_ns == last_ns:
        raise ValueError(
            "images must have different timestamps, got one with the timestamp of the last; it is "
            "left out, fix its publisher or recorder"
        )
    late_ns = 0 if last_ns is None else last_ns - stamp_ns
    if 0 < late_ns <= REWIND_NS:
        raise ValueError(
            "images must come nearly in the order of their timestamps, got one that is up to "
            f"{REWIND_NS // 1_000_000} ms late; it is left out"
        )


@dataclass(frozen=True)
class StampedMessage:
    """A message and its timestamp.

    Attributes:
        topic: topic of the message.
        stamp_ns: timestamp in its header.
        message: the deserialised message.
        time_ns: when it was recorded, 0 if unknown.
    """

    topic: str
    stamp_ns: int
    message: Message
    time_ns: int = 0


@dataclass(order=True, frozen=True)
class _Entry:
    stamp_ns: int
    is_last: bool
    number: int
    stamped: StampedMessage = field(compare=False)


class StampOrder:
    """Sorts a nearly sorted stream by timestamp.

    When the clock was set back (a simulation was restarted), all earlier messages are yielded
    first and sorting starts anew.
    """

    def __init__(self, topics: int, last: Collection[str] = ()) -> None:
        """Create an empty buffer.

        Args:
            topics: number of topics.
            last: topics whose messages come after others with the same timestamp.
        """
        self._capacity, self._last = WINDOW * max(topics, 1), last
        self._heap: list[_Entry] = []
        self._numbers = count()
        self._newest_ns: int | None = None

    def sort(self, stream: Iterable[StampedMessage]) -> Iterator[StampedMessage]:
        """Yield the messages of a stream; buffered ones are yielded even if the stream raises."""
        try:
            for stamped in stream:
                if self._newest_ns is not None and stamped.stamp_ns < self._newest_ns - REWIND_NS:
                    yield from self._empty()
                    self._newest_ns = None
                self._newest_ns = max(self._newest_ns or stamped.stamp_ns, stamped.stamp_ns)
                heapq.heappush(
                    self._heap,
                    _Entry(
                        stamped.stamp_ns, stamped.topic in self._last, next(self._numbers), stamped
                    ),
                )
                if len(self._heap) > self._capacity:
                    yield heapq.heappop(self._heap).stamped
        except GeneratorExit:
            raise
        except Exception:
            yield from self._empty()
            raise
        yield from self._empty()

    def waiting(self, topic: str) -> list[StampedMessage]:
        """Return the buffered messages of a topic."""
        return [entry.stamped for entry in self._heap if entry.stamped.topic == topic]

    def _empty(self) -> Iterator[StampedMessage]:
        while self._heap:
            yield heapq.heappop(self._heap).stamped


class Companions:
    """Recent messages that accompany a topic's images, to find the one for each image."""

    def __init__(self, topic: str, image: str, tolerance_ns: int, order: StampOrder) -> None:
        """Create an empty collection.

        Args:
            topic: topic of the messages paired with the images.
            image: topic of the images.
            tolerance_ns: largest difference between the timestamps of an image and its message.
            order: buffer of the messages to come.
        """
        self._topic, self._image = topic, image
        self._tolerance_ns, self._order = tolerance_ns, order
        self._past: deque[StampedMessage] = deque(maxlen=WINDOW)
        self._images_ns: deque[int] = deque(maxlen=WINDOW)

    def add(self, stamped: StampedMessage) -> None:
        """Remember a message of either topic."""
        if stamped.topic == self._topic:
            self._past.append(stamped)
        elif stamped.topic == self._image:
            self._images_ns.append(stamped.stamp_ns)

    def nearest(self, stamp_ns: int) -> Message | None:
        """Return the message that belongs to the image at a timestamp, None if there is none."""
        near = [*self._past, *self._order.waiting(self._topic)]
        images = (each.stamp_ns for each in self._order.waiting(self._image))
        place = partner_of(
            stamp_ns,
            [each.stamp_ns for each in near],
            [*self._images_ns, *images],
            self._tolerance_ns,
        )
        return None if place is None else near[place].message
