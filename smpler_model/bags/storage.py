"""The interface of a bag's files, whatever their format."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Topic:
    """A topic in a bag.

    Attributes:
        name: name of the topic.
        type: message type, as in ROS 2 (`sensor_msgs/msg/Image`).
        count: number of readable messages.
    """

    name: str
    type: str
    count: int


@dataclass(frozen=True)
class Definition:
    """Text that defines a message type.

    Attributes:
        text: definition in .msg format or IDL.
        is_idl: whether it is IDL.
    """

    text: str
    is_idl: bool


TypeKey = tuple[str, bool]
"""Name of a type as in ROS 2, and whether it is serialised as in ROS 1."""

Definitions = dict[TypeKey, Definition]


@dataclass(frozen=True)
class RawMessage:
    """A serialised message.

    Attributes:
        topic: topic of the message.
        type: message type as in ROS 2 (`sensor_msgs/msg/Image`).
        time_ns: recording time; 0 if unknown.
        data: CDR or ROS 1's serialisation; empty if unreadable.
        is_ros1: whether it is ROS 1's.
    """

    topic: str
    type: str
    time_ns: int
    data: bytes
    is_ros1: bool = False


class BagFile(Protocol):
    """Serialised messages of one file of a bag."""

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Topics by name."""

    @property
    def definitions(self) -> Mapping[TypeKey, Definition]:
        """Definitions of message types, if the file has any."""

    @property
    def foreign(self) -> Mapping[str, str]:
        """Topics without ROS messages, which are ignored, and the reason."""

    @property
    def start_ns(self) -> int:
        """Recording time of the first message, 0 if there is none."""

    @property
    def end_ns(self) -> int:
        """Recording time of the last message."""

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, as a sentence; None if it is intact."""

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield messages in recording order, from one time up to, but not including, another.

        Raises:
            SourceError: the file is damaged; all readable messages were yielded.
        """

    def close(self) -> None:
        """Close the file."""


def printable(name: str) -> str:
    """Return a name without line breaks and other unprintable characters, for error messages."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def ros2_type(name: str) -> str:
    """Normalise a type's name to that of ROS 2, such as `sensor_msgs/msg/Image`."""
    parts = printable(name).replace("::", "/").split("/")
    return f"{parts[0]}/msg/{parts[1]}" if len(parts) == 2 else "/".join(parts)


def describe_damage(path: Path, count: int, reason: str) -> str:
    """Return a sentence about an incomplete file."""
    return (
        f"{path} must be a complete bag, got one truncated after {count} messages ({reason}); "
        "what was read so far is kept"
    )


def brief(error: Exception) -> str:
    """Return an error in one line, without the full stop."""
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
