"""Timestamps for messages without one: one clock for all messages of a bag.

In simulation, nodes that publish before the first `/clock` stamp their messages 0, and a recorder
on simulated time records them at 0. The other messages show the offset between timestamps and
recording times.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from smpler_model.bags.stamp_order import REWIND_NS, StampedMessage
from smpler_model.cameras.messages import Message, stamp_ns_of

LOOK_AHEAD = 300
"""Number of messages per topic that are searched for a timestamp."""

_NO_CLOCK = (
    "messages must have a timestamp or a recording time, got one from before their clock "
    "started; it is left out"
)


class TimedMessage(Protocol):
    """A message and its recording time."""

    @property
    def topic(self) -> str:
        """The topic of the message."""

    @property
    def time_ns(self) -> int:
        """The recording time, 0 if unknown."""

    @property
    def message(self) -> Message:
        """Deserialised."""


class MissingStamps:
    """Assigns a timestamp to every message."""

    def __init__(
        self, topics: Collection[str], read: Callable[[str], Iterator[TimedMessage]]
    ) -> None:
        """Search the topics for their first timestamps.

        Args:
            topics: topics of the messages; the first with timestamps sets the clock for topics
                that have none.
            read: returns the messages of a topic.
        """
        self._first_ns: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        for topic in topics:
            self._look_at(topic, read(topic))
        self._offset = next(iter(self._offsets.values()), 0)

    def stamp(self, each: TimedMessage) -> StampedMessage:
        """Return a message with its own timestamp, or one derived from earlier messages.

        Raises:
            ValueError: neither a timestamp nor a recording time is known.
        """
        topic, stamp_ns = each.topic, stamp_ns_of(each.message)
        if stamp_ns:
            if each.time_ns:
                self._offsets[topic] = stamp_ns - each.time_ns
        elif each.time_ns:
            stamp_ns = each.time_ns + self._offsets.get(topic, self._offset)
            if stamp_ns < 0:
                raise ValueError(_NO_CLOCK)
        elif self._first_ns.get(topic, REWIND_NS + 1) > REWIND_NS:
            raise ValueError(_NO_CLOCK)  # otherwise the clock would begin at 0
        return StampedMessage(topic, stamp_ns, each.message, each.time_ns)

    def _look_at(self, topic: str, messages: Iterator[TimedMessage]) -> None:
        for each, _ in zip(messages, range(LOOK_AHEAD), strict=False):
            if stamp_ns := stamp_ns_of(each.message):
                self._first_ns.setdefault(topic, stamp_ns)
                if each.time_ns:
                    self._offsets[topic] = stamp_ns - each.time_ns
                    return
