"""Messages of several topics in the order of their stamps, with a small memory."""

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count

from smpler_model.cameras.messages import Message
from smpler_model.cameras.stamp_matching import partner_of

WINDOW = 8
"""Messages a topic that are held back for those that are stamped earlier and come later."""

REWIND_NS = 1_000_000_000
"""A stamp this much before the latest one means that the clock was set back."""


def check_order(stamp_ns: int, last_ns: int | None) -> None:
    """Refuse an image that comes twice or a little late; much later is a clock set back.

    The sentences do not say which or how late it is, so that such images can be counted.

    Args:
        stamp_ns: timestamp of the image.
        last_ns: timestamp of the image before, None for the first.

    Raises:
        ValueError: the stamp is the last one, or before it by up to `REWIND_NS`.
    """
    if stamp_ns == last_ns:
        raise ValueError(
            "images must differ in their stamps, got one with the stamp of the last; it is left "
            "out, check what sends or recorded it twice"
        )
    late_ns = 0 if last_ns is None else last_ns - stamp_ns
    if 0 < late_ns <= REWIND_NS:
        raise ValueError(
            "images must come nearly in the order of their stamps, got one that is up to "
            f"{REWIND_NS // 1_000_000} ms late; it is left out"
        )


@dataclass(frozen=True)
class StampedMessage:
    """A message and when it is of.

    Attributes:
        topic: topic of the message.
        stamp_ns: timestamp of its header.
        message: deserialised.
    """

    topic: str
    stamp_ns: int
    message: Message


@dataclass(order=True, frozen=True)
class _Entry:
    stamp_ns: int
    is_last: bool
    number: int
    stamped: StampedMessage = field(compare=False)


class StampOrder:
    """Sorts a stream by its stamps as far as it is nearly sorted.

    Where the clock was set back (a bag of a simulation that started anew), all before is given
    first and then order starts anew.
    """

    def __init__(self, topics: int, last: Collection[str] = ()) -> None:
        """Prepare.

        Args:
            topics: how many there are.
            last: those whose messages come after the others of the same stamp.
        """
        self._capacity, self._last = WINDOW * max(topics, 1), last
        self._heap: list[_Entry] = []
        self._numbers = count()
        self._newest_ns: int | None = None

    def sort(self, stream: Iterable[StampedMessage]) -> Iterator[StampedMessage]:
        """Give the messages of a stream; those held back are given even if it raises."""
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
        """Return the messages of a topic that are held back."""
        return [entry.stamped for entry in self._heap if entry.stamped.topic == topic]

    def _empty(self) -> Iterator[StampedMessage]:
        while self._heap:
            yield heapq.heappop(self._heap).stamped


class Companions:
    """What goes with the images of a topic, to find the one that belongs to an image."""

    def __init__(self, topic: str, image: str, tolerance_ns: int, order: StampOrder) -> None:
        """Prepare.

        Args:
            topic: topic of the messages paired with the images.
            image: topic of the images.
            tolerance_ns: how far stamps of what belongs together may be apart.
            order: which holds back what comes next.
        """
        self._topic, self._image = topic, image
        self._tolerance_ns, self._order = tolerance_ns, order
        self._past: deque[StampedMessage] = deque(maxlen=WINDOW)
        self._images_ns: deque[int] = deque(maxlen=WINDOW)

    def add(self, stamped: StampedMessage) -> None:
        """Remember a message that has been given, of either topic."""
        if stamped.topic == self._topic:
            self._past.append(stamped)
        elif stamped.topic == self._image:
            self._images_ns.append(stamped.stamp_ns)

    def nearest(self, stamp_ns: int) -> Message | None:
        """Return the message that belongs to the image of a stamp, None where none does."""
        near = [*self._past, *self._order.waiting(self._topic)]
        images = (each.stamp_ns for each in self._order.waiting(self._image))
        place = partner_of(
            stamp_ns,
            [each.stamp_ns for each in near],
            [*self._images_ns, *images],
            self._tolerance_ns,
        )
        return None if place is None else near[place].message
