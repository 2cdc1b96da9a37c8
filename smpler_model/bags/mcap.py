"""MCAP files of any profile: https://mcap.dev/spec.

Recorders other than rosbag2 leave the profile empty, write ROS 1's messages, or add channels of
JSON and protobuf; only ROS messages are read.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from smpler_model.bags.chunks import (
    MAX_MESSAGES,
    Channel,
    Chunk,
    ChunkMessage,
    Contents,
    Inventory,
    add_region,
    read_chunk,
    size_of,
    valid_time,
)
from smpler_model.bags.storage import Definition, printable, ros2_type
from smpler_model.bags.unpacking import MAX_UNPACKED, DamageError, unpack

MAGIC = b"\x89MCAP0\r\n"

_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 2, 3, 4, 5, 6
_CHUNK_INDEX, _STATISTICS, _DATA_END = 8, 11, 15
_HEAD = struct.Struct("<BQ")  # of a record: kind, size of its content
_MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence number, recording and publishing time
_PAIR = struct.Struct("<HQ")  # a channel's number, and a value
_FOOTER_SIZE = _HEAD.size + 20 + len(MAGIC)
_REGION = 1024**2  # bytes of messages outside chunks that are treated as one chunk
_ENCODINGS = {"cdr": False, "ros1": True}


class Mcap:
    """One MCAP file; see `chunks.ChunkFormat`."""

    def __init__(self) -> None:
        self._contents = Contents()
        self._schemas: dict[int, tuple[str, str, str]] = {}  # name, encoding, text
        self._numbers: set[int] = set()  # of all channels, foreign ones included

    def inventory(self, file: BinaryIO) -> Contents:
        """Return the contents of a file; see `chunks.ChunkFormat`."""
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise DamageError("it is not an MCAP file")
        size = size_of(file)
        try:
            self._read_index(file, size)
        except DamageError:
            self._contents, self._schemas, self._numbers = Contents(), {}, set()
            self._read_all(file, size)
        return self._contents

    def chunk_messages(self, file: BinaryIO, chunk: Chunk) -> Iterator[ChunkMessage]:
        """Yield the messages of a chunk; see `chunks.ChunkFormat`."""
        content, reason = read_chunk(file, chunk, _unpack_chunk)
        count = 0
        for kind, start, end in _records_in(content, reason):
            if kind == _MESSAGE and end - start >= _MESSAGE_HEAD.size:
                number, _, time_ns, _ = _MESSAGE_HEAD.unpack_from(content, start)
                if (count := count + 1) > MAX_MESSAGES:
                    raise DamageError(f"more than {MAX_MESSAGES} messages are in one chunk")
                if number in self._contents.channels:
                    data = bytes(content[start + _MESSAGE_HEAD.size : end])
                    yield number, valid_time(time_ns), data
                elif number not in self._numbers:
                    reason = reason or "a message's channel is missing"
            elif kind in (_SCHEMA, _CHANNEL):
                self._learn(kind, content[start:end])
        if reason:
            raise DamageError(reason)

    def _learn(self, kind: int, record: memoryview) -> None:
        fields = _Fields(record)
        number = fields.number("<H")
        if kind == _SCHEMA:
            name, encoding, text = fields.text(), fields.text(), fields.text()
            self._schemas.setdefault(number, (ros2_type(name), encoding, text))
            return
        name, schema_encoding, text = self._schemas.get(fields.number("<H"), ("", "", ""))
        topic = printable(fields.text())
        encoding = printable(fields.text()) or _usual_encoding(schema_encoding)
        if number in self._numbers:
            return
        self._numbers.add(number)
        contents = self._contents
        if encoding not in _ENCODINGS or not name:
            contents.foreign[topic] = (encoding or "unknown") + ("" if name else " without a type")
            return
        channel = Channel(topic, name, _ENCODINGS[encoding])
        contents.channels[number] = channel
        if text.strip():
            definition = Definition(text, is_idl="idl" in schema_encoding)
            contents.definitions.setdefault((name, channel.is_ros1), definition)

    def _read_index(self, file: BinaryIO, size: int) -> None:
        """Read the index at the end of the file.

        Raises:
            DamageError: there is no usable index.
        """
        end = size - _FOOTER_SIZE
        file.seek(max(end, 0))
        footer = _Fields(memoryview(file.read(_FOOTER_SIZE)))
        is_footer = (footer.number("<B"), footer.number("<Q")) == (_FOOTER, 20)
        start = footer.number("<Q")
        if not is_footer or not len(MAGIC) <= start < end or end - start > MAX_UNPACKED:
            raise DamageError("there is no index")
        file.seek(start)
        content, chunks, messages = memoryview(file.read(end - start)), 0, -1
        for kind, begin, finish in _records_in(content, "the index is damaged"):
            record = content[begin:finish]
            if kind in (_SCHEMA, _CHANNEL):
                self._learn(kind, record)
            elif kind == _CHUNK_INDEX:
                self._contents.chunks.append(_indexed_chunk(file, _Fields(record)))
            elif kind == _STATISTICS:
                messages, chunks, self._contents.counts = _statistics(_Fields(record))
        counts = self._contents.counts
        if (
            (messages, chunks) != (sum(counts.values()), len(self._contents.chunks))
            or (messages and not chunks)
            or not self._numbers.issuperset(number for number, count in counts.items() if count)
        ):
            raise DamageError("the index is incomplete")

    def _read_all(self, file: BinaryIO, size: int) -> None:
        """Build the contents without the index."""
        inventory = Inventory(file, self, self._contents)
        region = position = len(MAGIC)  # start of the messages outside chunks
        damage = ""
        while True:
            file.seek(position)
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                damage = "its end is missing"
                break
            kind, length = _HEAD.unpack(head)
            content = position + _HEAD.size
            if not kind or kind in (_FOOTER, _DATA_END):
                damage = "" if kind else "a record has no kind"
                break
            is_plain = kind in (_SCHEMA, _CHANNEL, _MESSAGE)
            if not is_plain or position > region + _REGION:
                add_region(inventory, region, position)
                region = position
            if kind == _CHUNK:
                inventory.add(Chunk(content, min(length, size - content)))
            if not is_plain:
                region = content + length
            if content + length > size:
                damage = "its end is missing"
                break
            position = content + length
        add_region(inventory, region, position)
        if damage:
            inventory.damaged(damage)


def _records_in(content: memoryview, reason: str) -> Iterator[tuple[int, int, int]]:
    """Yield kind, start and end of consecutive records.

    Raises:
        DamageError: a record is incomplete; `reason` is the cause, if known.
    """
    end = 0
    while end < len(content):
        if end + _HEAD.size > len(content):
            raise DamageError(reason or "a record is cut off")
        kind, size = _HEAD.unpack_from(content, end)
        start, end = end + _HEAD.size, end + _HEAD.size + size
        if not kind or end > len(content):
            raise DamageError(reason or "a record is cut off")
        yield kind, start, end


def _usual_encoding(schema_encoding: str) -> str:
    """Return the encoding of messages whose channel does not state it."""
    usual = {"ros1msg": "ros1", "ros2msg": "cdr", "ros2idl": "cdr", "omgidl": "cdr"}
    return usual.get(schema_encoding, "")


def _indexed_chunk(file: BinaryIO, fields: "_Fields") -> Chunk:
    start_ns, end_ns = valid_time(fields.number("<Q")), valid_time(fields.number("<Q"))
    position, length = fields.number("<Q"), fields.number("<Q")
    channels = frozenset(number for number, _ in fields.pairs())
    file.seek(min(position, 2**62))
    if file.read(_HEAD.size) != _HEAD.pack(_CHUNK, max(length - _HEAD.size, 0)):
        raise DamageError("the index does not fit")
    position, length = position + _HEAD.size, length - _HEAD.size
    return Chunk(position, length, True, start_ns, end_ns, channels or None)


def _statistics(fields: "_Fields") -> tuple[int, int, dict[int, int]]:
    """Return the numbers of messages and chunks, and of messages by channel."""
    messages, *_, chunks = (fields.number(form) for form in ("<Q", "<H", "<I", "<I", "<I", "<I"))
    fields.take(16)  # times, which may be wrong
    return messages, chunks, dict(fields.pairs())


def _unpack_chunk(record: memoryview) -> tuple[memoryview, str]:
    """Return the records of a chunk, and what is wrong with it, empty if nothing is."""
    fields = _Fields(record)
    fields.take(16)  # times
    size, checksum, compression = fields.number("<Q"), fields.number("<I"), fields.text()
    fields.number("<Q")
    content, reason = unpack(compression, fields.rest(), size)
    if not reason and checksum and zlib.crc32(content) != checksum:
        reason = "the checksum of a chunk does not match"
    return content, reason


class _Fields:
    """Reads the fields of a record one after the other."""

    def __init__(self, record: memoryview) -> None:
        self._record, self._place = record, 0

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self) -> str:
        return bytes(self.take(self.number("<I"))).decode(errors="replace")

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield a map from channel numbers to values."""
        content = self.take(self.number("<I"))
        if len(content) % _PAIR.size:
            raise DamageError("a map is cut off")
        yield from _PAIR.iter_unpack(content)

    def take(self, size: int) -> memoryview:
        taken = self._record[self._place : self._place + size]
        if len(taken) < size:
            raise DamageError("a record is cut off")
        self._place += size
        return taken

    def rest(self) -> memoryview:
        return self._record[self._place :]
