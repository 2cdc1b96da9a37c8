"""Messages of bag files that have lost their end, and the index with it.

Recorders write indices last. These scans read records from the beginning and stop, without an
error, at the first that is not whole. Formats: rosbag 2.0 (ROS wiki), MCAP (its specification),
rosbag2's tables of SQLite.
"""

import bz2
import importlib
import sqlite3
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote


@dataclass(frozen=True)
class Definition:
    """Text that defines a message type.

    Attributes:
        text: ROS's .msg form, or IDL.
        is_idl: which of them.
    """

    text: str
    is_idl: bool


@dataclass(frozen=True)
class RawMessage:
    """A serialised message.

    Attributes:
        topic: that it was sent on.
        type: as in ROS 2 (`sensor_msgs/msg/Image`).
        time_ns: when it was recorded.
        data: CDR, or ROS 1's form.
    """

    topic: str
    type: str
    time_ns: int
    data: bytes


Definitions = dict[str, Definition]
Scan = Callable[[Path, Definitions], Iterator[RawMessage]]
"""Gives what can be read of a file, and fills in definitions on the way."""

_MCAP_MAGIC = b"\x89MCAP0\r\n"
_ROS1_MAGIC = b"#ROSBAG V2.0\n"


class _CutOffError(Exception):
    """A record is not whole."""


def find_scan(path: Path) -> Scan:
    """Return the scan for a file by its suffix."""
    return {".bag": scan_rosbag1, ".mcap": scan_mcap, ".db3": scan_sqlite}[path.suffix]


def scan_mcap(path: Path, definitions: Definitions) -> Iterator[RawMessage]:
    """Give the messages of an MCAP file that was written by rosbag2."""
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    with path.open("rb") as file:
        if file.read(len(_MCAP_MAGIC)) != _MCAP_MAGIC:
            return
        for kind, record in _mcap_records(file):
            fields = _Fields(record)
            try:
                if kind == 3:
                    number, name, encoding = fields.number("<H"), fields.text(), fields.text()
                    schemas[number] = name
                    definitions[name] = Definition(fields.text(), "idl" in encoding)
                elif kind == 4:
                    number, schema = fields.number("<H"), fields.number("<H")
                    channels[number] = fields.text(), schemas[schema]
                elif kind == 5:
                    topic, name = channels[fields.number("<H")]
                    fields.number("<I")
                    time_ns, _ = fields.number("<Q"), fields.number("<Q")
                    yield RawMessage(topic, name, time_ns, fields.rest())
            except (KeyError, UnicodeDecodeError, _CutOffError):
                return


def _mcap_records(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give kind and content of the records of a file, those inside chunks too."""
    while len(head := file.read(9)) == 9:
        kind, size = struct.unpack("<BQ", head)
        if kind == 15:  # the end of the data: only the index follows
            return
        record = file.read(size)
        whole = len(record) == size
        if kind == 6:
            try:
                content = _mcap_chunk(record)
            except Exception:  # decompressors raise errors of their own
                return
            yield from _mcap_records(BytesIO(content))
        elif whole:
            yield kind, record
        if not whole:
            return


def _mcap_chunk(record: bytes) -> bytes:
    fields = _Fields(record)
    for form in ("<Q", "<Q", "<Q", "<I"):  # times, size and checksum
        fields.number(form)
    compression = fields.text()
    fields.number("<Q")
    return _decompress(compression, fields.rest())


def scan_rosbag1(path: Path, definitions: Definitions) -> Iterator[RawMessage]:
    """Give the messages of a ROS 1 bag."""
    topics: dict[bytes, tuple[str, str]] = {}
    with path.open("rb") as file:
        if file.readline() != _ROS1_MAGIC:
            return
        for header, content in _ros1_records(file):
            if header[b"op"] != b"\x05":
                continue
            try:
                chunk = _decompress(header[b"compression"].decode(), content)
                for inner, data in _ros1_records(BytesIO(chunk)):
                    if inner[b"op"] == b"\x07":
                        about = _ros1_fields(data)
                        name = _ros2_type(about[b"type"].decode())
                        topics[inner[b"conn"]] = inner[b"topic"].decode(), name
                        text = about[b"message_definition"].decode()
                        definitions[name] = Definition(text, is_idl=False)
                    elif inner[b"op"] == b"\x02":
                        seconds, nanoseconds = struct.unpack("<II", inner[b"time"])
                        time_ns = seconds * 10**9 + nanoseconds
                        yield RawMessage(*topics[inner[b"conn"]], time_ns, data)
            except GeneratorExit:
                raise
            except Exception:  # decompressors raise errors of their own
                return


def _ros1_records(file: BinaryIO) -> Iterator[tuple[dict[bytes, bytes], bytes]]:
    while len(head := file.read(4)) == 4:
        header = _ros1_fields(file.read(struct.unpack("<I", head)[0]))
        if b"op" not in header or len(size := file.read(4)) < 4:
            return
        content = file.read(struct.unpack("<I", size)[0])
        whole = len(content) == struct.unpack("<I", size)[0]
        if whole or header[b"op"] == b"\x05":  # of a cut chunk, some messages may be whole
            yield header, content
        if not whole:
            return


def _ros1_fields(content: bytes) -> dict[bytes, bytes]:
    fields, place = {}, 0
    while place + 4 <= len(content):
        end = place + 4 + struct.unpack_from("<I", content, place)[0]
        name, _, value = content[place + 4 : end].partition(b"=")
        fields[name], place = value, end
    return fields


def _ros2_type(name: str) -> str:
    package, _, message = name.partition("/")
    return f"{package}/msg/{message}"


def scan_sqlite(path: Path, definitions: Definitions) -> Iterator[RawMessage]:
    """Give the messages of a rosbag2 in SQLite, in the order in which they were written."""
    address = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    try:
        database = sqlite3.connect(address, uri=True)
    except sqlite3.Error:
        return
    try:
        # Without it, SQLite refuses files that are shorter than their header says.
        database.execute("PRAGMA writable_schema=ON")
        topics = {
            number: (name, kind)
            for number, name, kind in database.execute("SELECT id, name, type FROM topics")
        }
        _read_sqlite_definitions(database, definitions)
        rows = database.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id")
        for number, time_ns, data in rows:
            yield RawMessage(*topics[number], time_ns, data)
    except (sqlite3.Error, KeyError):
        return
    finally:
        database.close()


def _read_sqlite_definitions(database: sqlite3.Connection, definitions: Definitions) -> None:
    columns = "topic_type, encoding, encoded_message_definition"
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    if ("message_definitions",) in tables:  # since ROS 2 Iron
        for name, encoding, text in database.execute(f"SELECT {columns} FROM message_definitions"):
            definitions[name] = Definition(text, "idl" in encoding)


class _Fields:
    """Reads the fields of a record of MCAP one after the other."""

    def __init__(self, record: bytes) -> None:
        self._record, self._place = record, 0

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self._take(struct.calcsize(form)))[0])

    def text(self) -> str:
        return self._take(self.number("<I")).decode()

    def rest(self) -> bytes:
        return self._record[self._place :]

    def _take(self, size: int) -> bytes:
        taken = self._record[self._place : self._place + size]
        if len(taken) < size:
            raise _CutOffError
        self._place += size
        return taken


def _decompress(compression: str, data: bytes) -> bytes:
    if compression in ("", "none"):
        return data
    if compression == "bz2":
        return bz2.decompress(data)
    content: bytes = _find_codec(compression).decompress(data)
    return content


def _find_codec(compression: str) -> Any:  # noqa: ANN401 - a module
    """Return the module that undoes a compression, among those that versions of rosbags need."""
    names = {"lz4": ("lz4.frame",), "zstd": ("compression.zstd", "backports.zstd", "zstandard")}
    for name in names.get(compression, ()):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise _CutOffError
