"""Stamps for messages that have none: one clock for all messages of a bag.

What a simulation's nodes send before the first `/clock` is stamped 0, and a recorder that follows
that clock records it at 0. Other messages tell how far stamps and recording times are apart.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from smpler_model.bags.stamp_order import REWIND_NS, StampedMessage
from smpler_model.cameras.messages import Message, stamp_ns_of

LOOK_AHEAD = 300
"""Messages of a topic among which one with a stamp is looked for."""

_NO_CLOCK = (
    "messages must have a stamp, or a recording time to take for it, got one from before their "
    "clock ran; it is left out"
)


class TimedMessage(Protocol):
    """A message and when it was recorded."""

    @property
    def topic(self) -> str:
        """That it was sent on."""

    @property
    def time_ns(self) -> int:
        """When it was recorded, 0 if unknown."""

    @property
    def message(self) -> Message:
        """Deserialised."""


class MissingStamps:
    """Gives every message a stamp."""

    def __init__(
        self, topics: Collection[str], read: Callable[[str], Iterator[TimedMessage]]
    ) -> None:
        """Look for the first stamps.

        Args:
            topics: whose messages will come; the first that has stamps tells the clock of those
                that have none at all.
            read: gives the messages of a topic.
        """
        self._first_ns: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        for topic in topics:
            self._look_at(topic, read(topic))
        self._offset = next(iter(self._offsets.values()), 0)

    def stamp(self, each: TimedMessage) -> StampedMessage:
        """Return a message with its stamp: its own, or by the stamps of those before.

        Raises:
            ValueError: nothing tells when it was sent.
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
            raise ValueError(_NO_CLOCK)  # else the clock begins at 0
        return StampedMessage(topic, stamp_ns, each.message)

    def _look_at(self, topic: str, messages: Iterator[TimedMessage]) -> None:
        for each, _ in zip(messages, range(LOOK_AHEAD), strict=False):
            if stamp_ns := stamp_ns_of(each.message):
                self._first_ns.setdefault(topic, stamp_ns)
                if each.time_ns:
                    self._offsets[topic] = stamp_ns - each.time_ns
                    return
