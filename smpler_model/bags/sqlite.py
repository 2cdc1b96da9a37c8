"""rosbag2 in SQLite.

A recorder that was killed leaves a write-ahead log or a journal next to the file. SQLite can only
apply it by writing, so a copy is read and the user's files stay unchanged.
"""

import os
import sqlite3
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from smpler_model.bags.storage import (
    Definition,
    Definitions,
    RawMessage,
    Topic,
    brief,
    describe_damage,
    printable,
    ros2_type,
)
from smpler_model.bags.unpacking import DamageError, copy_files
from smpler_model.source import SourceError

MAGIC = b"SQLite format 3\0"

_LATEST_NS = 2**63 - 1
_LIVE_JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
_ENCODING = "cdr"


class SqliteFile:
    """An open file of rosbag2 in SQLite; see `storage.BagFile`."""

    def __init__(self, path: Path, shown: Path) -> None:
        """Open the file.

        Args:
            path: path of the file, which may be an uncompressed copy.
            shown: path to show to the user.

        Raises:
            DamageError: nothing can be read.
            OSError: it cannot be opened, or there is no space for a copy.
        """
        self.path, self._file = shown, path
        self.definitions: Definitions = {}
        self.foreign: dict[str, str] = {}
        with ExitStack() as stack:
            try:
                self._database = _connect(path, stack)
                self._check_tables()
                self._channels = self._read_channels()
                self._read_definitions()
            except (sqlite3.Error, TypeError, ValueError) as error:
                raise DamageError(brief(error)) from error
            self._reason, self._order = "", "timestamp, id"
            counts, times = self._count()
            if self._reason and not self._channels:
                raise DamageError(self._reason)
            self._stack = stack.pop_all()
        self.topics: Mapping[str, Topic] = {
            name: Topic(name, kind, counts.get(number, 0))
            for number, (name, kind) in sorted(self._channels.items(), key=lambda each: each[1])
        }
        self.start_ns, self.end_ns = times
        count = sum(counts.values())
        self.damage = describe_damage(shown, count, self._reason) if self._reason else None

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Yield messages in recording order; see `storage.BagFile`."""
        channels = {
            number: (name, kind)
            for number, (name, kind) in self._channels.items()
            if name in topics and self.topics[name].type == kind
        }
        given, reason = 0, self._reason
        try:
            for row, number, time_ns in self._rows(channels, start_ns, end_ns):
                data = self._data(row)
                if not data and self._reason:
                    continue
                name, kind = channels[number]
                yield RawMessage(name, kind, time_ns, data)
                given += 1
        except sqlite3.Error as error:
            reason = reason or brief(error)
        if reason:
            raise SourceError(self.damage or describe_damage(self.path, given, reason))

    def close(self) -> None:
        """Close the file, and remove its copy."""
        self._stack.close()

    def _check_tables(self) -> None:
        """Refuse tables with computed content, which may be endless.

        Raises:
            DamageError: a table is computed or missing.
        """
        query = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        for name in ("topics", "messages"):
            (sql,) = self._database.execute(query, (name,)).fetchone() or (None,)
            if not isinstance(sql, str) or sql.upper().split()[:2] != ["CREATE", "TABLE"]:
                raise DamageError(f"it has no table '{name}'")
            columns = self._database.execute(f"PRAGMA table_xinfo({name})").fetchall()
            if any(column[6] for column in columns):
                raise DamageError(f"columns of its table '{name}' are computed")

    def _read_channels(self) -> dict[int, tuple[str, str]]:
        """Return name and type of topics by number."""
        channels: dict[int, tuple[str, str]] = {}
        query = "SELECT id, name, type, serialization_format FROM topics ORDER BY id"
        for number, name, kind, encoding in self._database.execute(query):
            if not isinstance(name, str) or not isinstance(kind, str):
                self.foreign[f"topic {number}"] = "without a name or type"
            elif encoding != _ENCODING:
                self.foreign[printable(name)] = printable(str(encoding))
            else:
                channels[int(number)] = printable(name), ros2_type(kind)
        return channels

    def _read_definitions(self) -> None:
        columns = "topic_type, encoding, encoded_message_definition"
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        if ("message_definitions",) not in self._database.execute(query).fetchall():
            return  # before ROS 2 Iron
        for row in self._database.execute(f"SELECT {columns} FROM message_definitions"):
            if all(isinstance(value, str) for value in row) and row[2].strip():
                definition = Definition(row[2], is_idl="idl" in row[1])
                self.definitions.setdefault((ros2_type(row[0]), False), definition)

    def _count(self) -> tuple[dict[int, int], tuple[int, int]]:
        """Return the number of messages per topic, and the first and last recording time."""
        self._reason = "its end is missing" if _is_cut(self._file) else ""
        counts: dict[int, int] = {}
        times: list[int] = []
        columns = "topic_id, count(*), min(timestamp), max(timestamp)"
        query = f"SELECT {columns} FROM messages GROUP BY topic_id"
        try:
            for number, count, *ends in self._database.execute(query).fetchall():
                counts[number] = count
                times += filter(_is_time, ends)
            in_order = self._database.execute("SELECT id FROM messages ORDER BY timestamp")
            if sum(1 for _ in in_order) != sum(counts.values()):
                self._reason, self._order = "its index does not fit", "id"
        except sqlite3.Error as error:
            self._reason, self._order = self._reason or brief(error), "id"
        if self._reason:
            counts, times = self._count_readable()
        return counts, (min(times, default=0), max(times, default=0))

    def _count_readable(self) -> tuple[dict[int, int], list[int]]:
        """Return the number of readable messages per topic, and their recording times."""
        counts: dict[int, int] = {}
        times: list[int] = []
        try:
            for row, number, time_ns in self._rows(self._channels):
                if self._data(row):
                    counts[number] = counts.get(number, 0) + 1
                    times = [min([*times[:1], time_ns]), max([*times[1:], time_ns])]
        except sqlite3.Error as error:
            self._reason = self._reason or brief(error)
        return counts, times

    def _rows(
        self, channels: Collection[int], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the numbers of a row and its topic, and the recording time.

        Raises:
            sqlite3.Error: the file is truncated.
        """
        numbers = ",".join(str(number) for number in channels)
        conditions = [f"topic_id IN ({numbers})"]
        if start_ns is not None:
            conditions.append(f"timestamp >= {start_ns}")
        if end_ns is not None:
            conditions.append(f"timestamp < {end_ns}")
        rows = self._database.execute(
            "SELECT id, topic_id, timestamp FROM messages WHERE "
            f"{' AND '.join(conditions)} ORDER BY {self._order}"
        )
        for row, number, time_ns in rows:
            yield row, number, time_ns if _is_time(time_ns) else 0

    def _data(self, row: int) -> bytes:
        """Return the data of a row, empty if it is unreadable."""
        query = "SELECT data FROM messages WHERE id = ?"
        try:
            (data,) = self._database.execute(query, (row,)).fetchone() or (None,)
        except sqlite3.Error:  # other rows may be intact
            return b""
        return data if isinstance(data, bytes) else b""


def _connect(path: Path, stack: ExitStack) -> sqlite3.Connection:
    """Open a database, or a copy of it that exists as long as the stack."""
    beside = [path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")]
    beside = [each for each in beside if _is_live(each)]
    mode = "mode=ro&immutable=1"
    if beside:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="smpler_bag_"))
        path, mode = copy_files([path, *beside], Path(folder)), "mode=rw"
    address = f"file:{quote(os.fsencode(path.resolve()))}?{mode}"
    database = sqlite3.connect(address, uri=True, check_same_thread=False)
    stack.callback(database.close)
    database.text_factory = lambda text: text.decode(errors="replace")
    database.execute("PRAGMA trusted_schema=OFF")
    # Otherwise SQLite refuses files that are shorter than their headers state.
    database.execute("PRAGMA writable_schema=ON")
    return database


def _is_live(path: Path) -> bool:
    """Return whether there is a non-empty write-ahead log or journal."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(len(_LIVE_JOURNAL))
    return bool(start) and (path.name.endswith("-wal") or start == _LIVE_JOURNAL)


def _is_cut(path: Path) -> bool:
    """Return whether a file is shorter than its header states."""
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or header[24:28] != header[92:96]:
        return False  # written by an old version of SQLite, whose header lacks the size
    page_size = int.from_bytes(header[16:18], "big")
    pages = int.from_bytes(header[28:32], "big")
    return pages * (page_size if page_size > 1 else 65536) > path.stat().st_size


def _is_time(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= _LATEST_NS
