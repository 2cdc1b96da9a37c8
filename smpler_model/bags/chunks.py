"""Chunked files, MCAP and rosbag1: an inventory of the chunks, and their messages in order.

The inventory comes from the file's index. If the index is lost, wrong or was never written, the
whole file is read once instead.
"""

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from smpler_model.bags.storage import Definitions, RawMessage, Topic, describe_damage
from smpler_model.bags.unpacking import MAX_UNPACKED, DamageError
from smpler_model.source import SourceError

MAX_MESSAGES = 500_000
"""Limit of messages in one chunk: a few kB of compressed zeros can expand to millions."""

_HELD_BYTES = 64 * 1024**2  # of chunks that overlap in time
_MESSAGE_BYTES = 300  # Python's overhead per message
_LATEST_NS = 2**63 - 1


@dataclass(frozen=True)
class Channel:
    """The topic and type of a channel's messages.

    Attributes:
        topic: topic of the messages.
        type: message type as in ROS 2.
        is_ros1: whether they are serialised as in ROS 1.
    """

    topic: str
    type: str
    is_ros1: bool


@dataclass(frozen=True)
class Chunk:
    """A part of a file.

    Attributes:
        position: position of its content in the file, bytes.
        size: size of its content in the file, bytes.
        is_packed: whether it is a chunk's record; else a sequence of plain records.
        start_ns: recording time of its earliest message.
        end_ns: recording time of its latest message.
        channels: channels whose messages the chunk contains; None if unknown before reading it.
    """

    position: int
    size: int
    is_packed: bool = True
    start_ns: int = 0
    end_ns: int = _LATEST_NS
    channels: frozenset[int] | None = None


@dataclass
class Contents:
    """The contents of a file.

    Attributes:
        channels: channels by number.
        definitions: definitions of message types.
        foreign: topics whose messages are not from ROS, and their encodings.
        chunks: readable chunks.
        counts: message counts by channel number.
        damage: what is wrong with the file, in a few words; empty if nothing is.
    """

    channels: dict[int, Channel] = field(default_factory=dict)
    definitions: Definitions = field(default_factory=dict)
    foreign: dict[str, str] = field(default_factory=dict)
    chunks: list[Chunk] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    damage: str = ""


ChunkMessage = tuple[int, int, bytes]
"""A channel's number, recording time in nanoseconds, and data."""


class ChunkFormat(Protocol):
    """A chunked file format, for one file."""

    def inventory(self, file: BinaryIO) -> Contents:
        """Return the contents of a file.

        Raises:
            DamageError: the file has another format.
        """

    def chunk_messages(self, file: BinaryIO, chunk: Chunk) -> Iterator[ChunkMessage]:
        """Yield the messages of a chunk in its own order.

        Raises:
            DamageError: the chunk is incomplete; all messages before the damage were yielded.
        """


class ChunkedFile:
    """An open chunked file; see `storage.BagFile`."""

    def __init__(self, path: Path, form: ChunkFormat, shown: Path) -> None:
        """Open the file.

        Args:
            path: path of the file, which may be an uncompressed copy.
            form: format of the file.
            shown: path to show to the user.

        Raises:
            DamageError: nothing can be read.
            OSError: it cannot be opened.
        """
        self.path, self._form = shown, form
        self._file = path.open("rb")
        try:
            self._contents = form.inventory(self._file)
            if self._contents.damage and not self._contents.channels:
                raise DamageError(self._contents.damage)
        except BaseException:
            self._file.close()
            raise
        contents = self._contents
        self.definitions, self.foreign = contents.definitions, contents.foreign
        self.topics = _topics(contents)
        count = sum(contents.counts.values())
        self.damage = describe_damage(shown, count, contents.damage) if contents.damage else None
        self.start_ns = min((each.start_ns for each in contents.chunks), default=0)
        self.end_ns = max((each.end_ns for each in contents.chunks), default=0)

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield messages in recording order; see `storage.BagFile`."""
        first, end = start_ns or 0, _LATEST_NS + 1 if end_ns is None else end_ns
        channels = {
            number: channel
            for number, channel in self._contents.channels.items()
            if channel.topic in topics and self.topics[channel.topic].type == channel.type
        }
        chunks = [
            each
            for each in self._contents.chunks
            if each.start_ns < end
            and each.end_ns >= first
            and (each.channels is None or not each.channels.isdisjoint(channels))
        ]
        given, reason = 0, ""
        heap: list[tuple[int, int, RawMessage]] = []
        held = number = 0
        for chunk in sorted(chunks, key=lambda each: each.start_ns):
            while heap and (heap[0][0] < chunk.start_ns or held > _HELD_BYTES):
                raw = heapq.heappop(heap)[2]
                held -= len(raw.data) + _MESSAGE_BYTES
                given += 1
                yield raw
            try:
                for channel, time_ns, data in self._form.chunk_messages(self._file, chunk):
                    if channel in channels and first <= time_ns < end:
                        about = channels[channel]
                        raw = RawMessage(about.topic, about.type, time_ns, data, about.is_ros1)
                        heapq.heappush(heap, (time_ns, number, raw))
                        held += len(data) + _MESSAGE_BYTES
                        number += 1
            except DamageError as error:
                reason = reason or str(error)
        while heap:
            given += 1
            yield heapq.heappop(heap)[2]
        if self.damage or reason:
            raise SourceError(self.damage or describe_damage(self.path, given, reason))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Inventory:
    """Builds the contents of a file that is read from start to end."""

    def __init__(self, file: BinaryIO, form: ChunkFormat, contents: Contents) -> None:
        self._file, self._form, self._contents = file, form, contents

    def add(self, chunk: Chunk) -> None:
        """Read a chunk and add its readable messages."""
        counts: dict[int, int] = {}
        start_ns, end_ns = _LATEST_NS, 0
        try:
            for channel, time_ns, _ in self._form.chunk_messages(self._file, chunk):
                counts[channel] = counts.get(channel, 0) + 1
                start_ns, end_ns = min(start_ns, time_ns), max(end_ns, time_ns)
        except DamageError as error:
            self.damaged(str(error))
        if counts:
            contents = self._contents
            numbers = frozenset(counts)
            contents.chunks.append(
                Chunk(chunk.position, chunk.size, chunk.is_packed, start_ns, end_ns, numbers)
            )
            for channel, count in counts.items():
                contents.counts[channel] = contents.counts.get(channel, 0) + count

    def damaged(self, reason: str) -> None:
        """Record what is wrong; only the first reason is kept."""
        self._contents.damage = self._contents.damage or reason


def read_chunk(
    file: BinaryIO, chunk: Chunk, unpack_chunk: Callable[[memoryview], tuple[memoryview, str]]
) -> tuple[memoryview, str]:
    """Return the records of a chunk, and what is wrong with it, empty if nothing is.

    Args:
        file: the bag's file.
        chunk: the chunk to read.
        unpack_chunk: returns the same for a chunk's record in the file's format.

    Raises:
        DamageError: the chunk is larger than `MAX_UNPACKED`.
    """
    if chunk.size > MAX_UNPACKED:
        raise DamageError(f"{chunk.size} bytes are in one record")
    file.seek(chunk.position)
    content = memoryview(file.read(chunk.size))
    return unpack_chunk(content) if chunk.is_packed else (content, "")


def add_region(inventory: Inventory, start: int, end: int) -> None:
    """Add a region of plain records outside chunks, unless it is empty."""
    if end > start:
        inventory.add(Chunk(start, end - start, is_packed=False))


def valid_time(time_ns: int) -> int:
    """Return a recording time, 0 if it is impossible."""
    return time_ns if 0 <= time_ns <= _LATEST_NS else 0


def size_of(file: BinaryIO) -> int:
    """Return the size of a file, bytes."""
    return file.seek(0, 2)


def _topics(contents: Contents) -> Mapping[str, Topic]:
    """Return topics by name; if a name has several types, the one with most messages counts."""
    counts: dict[tuple[str, str], int] = {}
    for number, channel in contents.channels.items():
        key = (channel.topic, channel.type)
        counts[key] = counts.get(key, 0) + contents.counts.get(number, 0)
    order = sorted(counts, key=lambda key: (key[0], counts[key]))
    return {name: Topic(name, kind, counts[name, kind]) for name, kind in order}
