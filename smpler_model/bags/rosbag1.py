"""ROS 1 bags, version 2.0: http://wiki.ros.org/Bags/Format/2.0."""

import struct
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
)
from smpler_model.bags.storage import Definition, printable, ros2_type
from smpler_model.bags.unpacking import MAX_UNPACKED, DamageError, unpack

MAGIC = b"#ROSBAG V"

_VERSION = b"#ROSBAG V2.0\n"
_MESSAGE, _BAG, _CHUNK, _CHUNK_INFO, _CONNECTION = 2, 3, 5, 6, 7
_NUMBER = struct.Struct("<I")
_REGION = 1024**2  # bytes of messages outside chunks that are treated as one chunk
_MAX_HEADER = 1024**2

Header = dict[bytes, bytes]


class Rosbag1:
    """One ROS 1 bag; see `chunks.ChunkFormat`."""

    def __init__(self) -> None:
        self._contents = Contents()

    def inventory(self, file: BinaryIO) -> Contents:
        """Return the contents of a file; see `chunks.ChunkFormat`."""
        size = size_of(file)
        file.seek(0)
        self._contents = Contents()
        if (magic := file.readline(40)) != _VERSION:
            raise DamageError(f"it is not a bag of version 2.0 but begins with {magic!r}")
        try:
            self._read_index(file, size)
        except DamageError:
            self._contents = Contents()
            self._read_all(file, size)
        return self._contents

    def chunk_messages(self, file: BinaryIO, chunk: Chunk) -> Iterator[ChunkMessage]:
        """Yield the messages of a chunk; see `chunks.ChunkFormat`."""
        content, reason = read_chunk(file, chunk, _unpack_chunk)
        place, count = 0, 0
        while place < len(content):
            try:
                header, start, place = _parse_record(content, place)
            except DamageError as error:
                raise DamageError(reason or str(error)) from error
            kind = _kind(header)
            if kind == _MESSAGE:
                if (count := count + 1) > MAX_MESSAGES:
                    raise DamageError(f"more than {MAX_MESSAGES} messages are in one chunk")
                number, time_ns = _number(header, b"conn"), _time(header, b"time")
                if number in self._contents.channels:
                    yield number, time_ns, bytes(content[start:place])
                else:
                    reason = reason or "a message's connection is missing"
            elif kind == _CONNECTION:
                self._learn(header, bytes(content[start:place]))
        if reason:
            raise DamageError(reason)

    def _learn(self, header: Header, content: bytes) -> None:
        number, about = _number(header, b"conn"), _parse_header(content)
        topic = printable(_text(header, b"topic") or _text(about, b"topic"))
        kind, text = ros2_type(_text(about, b"type")), _text(about, b"message_definition")
        if number in self._contents.channels or not topic or not kind:
            return
        name = ("/" if topic[0] == "/" else "") + "/".join(filter(None, topic.split("/")))
        self._contents.channels[number] = Channel(name, kind, is_ros1=True)
        if text.strip():
            definition = Definition(text, is_idl=False)
            self._contents.definitions.setdefault((kind, True), definition)

    def _read_index(self, file: BinaryIO, size: int) -> None:
        """Read the index at the end of the file.

        Raises:
            DamageError: there is no usable index.
        """
        header, _, _ = _read_head(file, len(_VERSION), size)
        if header.get(b"encryptor"):
            raise DamageError("it is encrypted")
        start = _number(header, b"index_pos", "<Q")
        if not len(_VERSION) < start <= size or size - start > MAX_UNPACKED:
            raise DamageError("there is no index")
        file.seek(start)
        content, place = memoryview(file.read()), 0
        chunks, infos = self._contents.chunks, 0
        while place < len(content):
            record, begin, place = _parse_record(content, place)
            if _kind(record) == _CONNECTION:
                self._learn(record, bytes(content[begin:place]))
            elif _kind(record) == _CHUNK_INFO:
                infos += 1
                counts = dict(struct.iter_unpack("<II", _whole_pairs(content[begin:place])))
                if counts:
                    chunks.append(_indexed_chunk(file, record, frozenset(counts), size))
                for number, count in counts.items():
                    before = self._contents.counts.get(number, 0)
                    self._contents.counts[number] = before + count
        known = self._contents.channels.keys()
        if infos != _number(header, b"chunk_count") or not self._contents.counts.keys() <= known:
            raise DamageError("the index is incomplete")

    def _read_all(self, file: BinaryIO, size: int) -> None:
        """Build the contents without the index."""
        inventory = Inventory(file, self, self._contents)
        region = position = len(_VERSION)  # start of the messages outside chunks
        while position < size:
            try:
                header, start, length = _read_head(file, position, size)
            except DamageError as error:
                inventory.damaged(str(error))
                break
            kind, end = _kind(header), start + length
            if kind == _BAG:
                if header.get(b"encryptor"):
                    raise DamageError("it is encrypted; decrypt it first")
                if _number(header, b"index_pos", "<Q") > size:
                    inventory.damaged("its end is missing")
            if kind not in (_MESSAGE, _CONNECTION) or position > region + _REGION:
                add_region(inventory, region, position)
                region = position
            if kind == _CHUNK:
                inventory.add(Chunk(position, min(end, size) - position))
            if kind not in (_MESSAGE, _CONNECTION):
                region = end
            if end > size:
                inventory.damaged("its end is missing")
                break
            position = end
        add_region(inventory, region, position)


def _read_head(file: BinaryIO, position: int, size: int) -> tuple[Header, int, int]:
    """Return a record's header, the position of its content, and the content's size."""
    file.seek(position)
    length = _read_number(file)
    if length > min(_MAX_HEADER, size - position):
        raise DamageError("a record is damaged or cut off")
    header = _parse_header(file.read(length))
    return header, position + length + 8, _read_number(file)


def _read_number(file: BinaryIO) -> int:
    data = file.read(4)
    if len(data) < 4:
        raise DamageError("its end is missing")
    return int(_NUMBER.unpack(data)[0])


def _parse_record(content: memoryview, place: int) -> tuple[Header, int, int]:
    """Return a record's header, and where its content starts and ends."""
    try:
        begin = place + 4 + _NUMBER.unpack_from(content, place)[0]
        start = begin + 4
        end = start + _NUMBER.unpack_from(content, begin)[0]
    except struct.error as error:
        raise DamageError("a record is cut off") from error
    if end > len(content):
        raise DamageError("a record is cut off")
    return _parse_header(bytes(content[place + 4 : begin])), start, end


def _parse_header(content: bytes) -> Header:
    fields, place = {}, 0
    while place + 4 <= len(content):
        end = place + 4 + _NUMBER.unpack_from(content, place)[0]
        name, _, value = content[place + 4 : end].partition(b"=")
        fields[name], place = value, end
    return fields


def _kind(header: Header) -> int:
    value = header.get(b"op", b"")
    if len(value) != 1:
        raise DamageError("a record has no kind")
    return value[0]


def _number(header: Header, name: bytes, form: str = "<I") -> int:
    try:
        return int(struct.unpack(form, header.get(name, b""))[0])
    except struct.error as error:
        raise DamageError(f"a record's field '{name.decode()}' is missing or damaged") from error


def _time(header: Header, name: bytes) -> int:
    """Return a time, nanoseconds."""
    value = _number(header, name, "<Q")
    return (value & 0xFFFFFFFF) * 10**9 + (value >> 32)


def _text(header: Header, name: bytes) -> str:
    return header.get(name, b"").decode(errors="replace")


def _whole_pairs(content: memoryview) -> memoryview:
    return content[: len(content) // 8 * 8]


def _indexed_chunk(file: BinaryIO, info: Header, channels: frozenset[int], size: int) -> Chunk:
    position = _number(info, b"chunk_pos", "<Q")
    if position >= size:
        raise DamageError("the index does not fit")
    header, start, length = _read_head(file, position, size)
    if _kind(header) != _CHUNK or start + length > size:
        raise DamageError("the index does not fit")
    start_ns, end_ns = _time(info, b"start_time"), _time(info, b"end_time")
    return Chunk(position, start + length - position, True, start_ns, end_ns, channels)


def _unpack_chunk(record: memoryview) -> tuple[memoryview, str]:
    """Return the records of a chunk, and what is wrong with it, empty if nothing is."""
    try:
        begin = 4 + _NUMBER.unpack_from(record)[0]
        content = record[begin + 4 :]
    except struct.error as error:
        raise DamageError("a record is cut off") from error
    header = _parse_header(bytes(record[4:begin]))
    return unpack(_text(header, b"compression"), content, _number(header, b"size"))
