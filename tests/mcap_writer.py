"""MCAP files as written by recorders other than rosbag2."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lz4.frame
from rosbags.typesys import Stores, get_typestore

from smpler_model.bags.mcap import MAGIC
from tests.bag_writer import Sent


@dataclass(frozen=True)
class Style:
    """The way a recorder writes.

    Attributes:
        profile: profile in the file's header.
        is_ros1: whether messages and definitions are ROS 1's.
        chunk_messages: number of messages per chunk; 0 for no chunks.
        compression: compression of chunks: `lz4` or empty.
        has_index: whether there is an index at the end.
        has_message_index: whether the index states which channels are in a chunk.
        definition: text of every schema; None for the right one.
        others: encodings of additional channels, with one message each.
    """

    profile: str = "ros2"
    is_ros1: bool = False
    chunk_messages: int = 8
    compression: str = ""
    has_index: bool = True
    has_message_index: bool = True
    definition: str | None = None
    others: Sequence[str] = ()


def text(value: str | bytes) -> bytes:
    """Return a text preceded by its length."""
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(value)) + value


def record(kind: int, content: bytes) -> bytes:
    return struct.pack("<BQ", kind, len(content)) + content


def schema(number: int, name: str, encoding: str, definition: str) -> bytes:
    return record(3, struct.pack("<H", number) + text(name) + text(encoding) + text(definition))


def channel(number: int, schema_number: int, topic: str, encoding: str) -> bytes:
    head = struct.pack("<HH", number, schema_number)
    return record(4, head + text(topic) + text(encoding) + text(b""))


def message(number: int, time_ns: int, data: bytes) -> bytes:
    return record(5, struct.pack("<HIQQ", number, 0, time_ns, time_ns) + data)


def chunk(content: bytes, compression: str = "", size: int | None = None) -> bytes:
    """Return the record of a chunk with a stated size."""
    packed = {"": content, "lz4": lz4.frame.compress(content)}[compression]
    stated = len(content) if size is None else size
    head = struct.pack("<QQQI", 0, 2**62, stated, 0)
    return record(6, head + text(compression) + struct.pack("<Q", len(packed)) + packed)


def write_mcap(path: Path, sent: Sequence[Sent], style: Style = Style()) -> Path:
    """Write messages in the given order, and return the path."""
    store = get_typestore(Stores.ROS1_NOETIC if style.is_ros1 else Stores.LATEST)
    types = {each.topic: each.message.__msgtype__ for each in sent}
    about, numbers = b"", {}
    for number, (topic, kind) in enumerate(types.items(), 1):
        definition = store.generate_msgdef(kind, ros_version=1 if style.is_ros1 else 2)[0]
        name = kind.replace("/msg/", "/") if style.is_ros1 else kind
        wanted = definition if style.definition is None else style.definition
        about += schema(number, name, "ros1msg" if style.is_ros1 else "ros2msg", wanted)
        about += channel(number, number, topic, "ros1" if style.is_ros1 else "cdr")
        numbers[topic] = number
    counts = dict.fromkeys(numbers.values(), 0)
    records: list[tuple[int, int, bytes]] = []
    for number, encoding in enumerate(style.others, 100):
        about += schema(number, "Log", "jsonschema" if encoding == "json" else encoding, "{}")
        about += channel(number, number, f"/{encoding}", encoding)
        records.append((number, 5, message(number, 5, b"{}")))
        counts[number] = 1
    for each in sent:
        kind = each.message.__msgtype__
        serialise = store.serialize_ros1 if style.is_ros1 else store.serialize_cdr
        number = numbers[each.topic]
        data = bytes(serialise(each.message, kind))
        records.append((number, each.time_ns, message(number, each.time_ns, data)))
        counts[number] += 1
    content = MAGIC + record(1, text(style.profile) + text("somebody"))
    indices: list[bytes] = []
    if style.chunk_messages:
        for first in range(0, len(records), style.chunk_messages):
            part = records[first : first + style.chunk_messages]
            inner = (about if first == 0 else b"") + b"".join(each for _, _, each in part)
            packed = chunk(inner, style.compression)
            times = [time_ns for _, time_ns, _ in part]
            head = struct.pack("<QQQQ", min(times), max(times), len(content), len(packed))
            listed = part if style.has_message_index else []
            offsets = b"".join(struct.pack("<HQ", number, 0) for number, _, _ in listed)
            sizes = struct.pack("<QQ", len(packed), len(inner))
            tail = text(offsets) + struct.pack("<Q", 0) + text(style.compression) + sizes
            indices.append(record(8, head + tail))
            content += packed
    else:
        content += about + b"".join(each for _, _, each in records)
    content += record(15, bytes(4))
    start = 0
    if style.has_index:
        start = len(content)
        many = (len(records), len(counts), len(counts), 0, 0, len(indices), 0, 0)
        pairs = b"".join(struct.pack("<HQ", number, count) for number, count in counts.items())
        statistics = struct.pack("<QHIIIIQQ", *many) + text(pairs)
        content += about + b"".join(indices) + record(11, statistics)
    content += record(2, struct.pack("<QQI", start, 0, 0)) + MAGIC
    path.write_bytes(content)
    return path
