"""What a file of a bag gives, whatever its format."""

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
        count: messages that can be read.
    """

    name: str
    type: str
    count: int


@dataclass(frozen=True)
class Definition:
    """Text that defines a message type.

    Attributes:
        text: ROS's .msg form, or IDL.
        is_idl: which of them.
    """

    text: str
    is_idl: bool


TypeKey = tuple[str, bool]
"""A type's name as in ROS 2, and whether it is in ROS 1's form."""

Definitions = dict[TypeKey, Definition]


@dataclass(frozen=True)
class RawMessage:
    """A serialised message.

    Attributes:
        topic: topic of the message.
        type: message type as in ROS 2 (`sensor_msgs/msg/Image`).
        time_ns: when it was recorded; 0 if unknown.
        data: CDR, or ROS 1's form; empty where it cannot be read.
        is_ros1: which of them.
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
        """Definitions of message types, as far as the file has them."""

    @property
    def foreign(self) -> Mapping[str, str]:
        """What holds no messages of ROS and is left out: names of topics, and why."""

    @property
    def start_ns(self) -> int:
        """Recording time of the first message, 0 where there is none."""

    @property
    def end_ns(self) -> int:
        """Recording time of the last message."""

    @property
    def damage(self) -> str | None:
        """What is wrong with the file, in a sentence; None for a whole one."""

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Give messages in recording order, from a time up to and without another.

        Raises:
            SourceError: the file is damaged; what could be read was given.
        """

    def close(self) -> None:
        """Close the file."""


def printable(name: str) -> str:
    """Return a name as it can stand in a sentence, without line breaks and the like."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def ros2_type(name: str) -> str:
    """Return a type's name as in ROS 2, `sensor_msgs/msg/Image`, from other ways to write it."""
    parts = printable(name).replace("::", "/").split("/")
    return f"{parts[0]}/msg/{parts[1]}" if len(parts) == 2 else "/".join(parts)


def describe_damage(path: Path, count: int, reason: str) -> str:
    """Say that a file is not whole."""
    return (
        f"{path} must be a whole bag, got one that breaks off after {count} messages ({reason}); "
        "what was read so far is kept"
    )


def brief(error: Exception) -> str:
    """Return an error in one line, without the full stop."""
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
