"""The files of a bag: serialised messages of rosbag2 (sqlite3, mcap) and rosbag1, whole or cut."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rosbags.interfaces import MessageDefinitionFormat
from rosbags.rosbag1 import Reader as Reader1
from rosbags.rosbag2 import Reader as Reader2

from smpler_model.bags.recovery import Definition, RawMessage, find_scan
from smpler_model.source import SourceError

ROS1_SUFFIX = ".bag"
ROS2_SUFFIXES = (".mcap", ".db3")
METADATA = "metadata.yaml"

_NO_METADATA = f"there is no {METADATA}"
_COMPRESSED = ".zstd"
_PART = re.compile(r"_(0|[1-9]\d*)$")  # what rosbag2 adds to the names of a bag's files


@dataclass(frozen=True)
class Topic:
    """A topic in a bag.

    Attributes:
        name: of the topic.
        type: of its messages, as in ROS 2 (`sensor_msgs/msg/Image`).
        count: messages that can be read.
    """

    name: str
    type: str
    count: int


class BagFile(Protocol):
    """Serialised messages of one recording or of one file of it."""

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Topics by name."""

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """Definitions of message types, as far as the file has them."""

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
            SourceError: the file breaks off; all before was given.
        """

    def close(self) -> None:
        """Close the file."""


def is_bag(path: Path) -> bool:
    """Tell whether a path is a bag, by names alone."""
    if path.is_dir():
        return (path / METADATA).is_file() or len(find_recordings(path)) == 1
    return path.suffix in (ROS1_SUFFIX, *ROS2_SUFFIXES)


def is_rosbag1(path: Path) -> bool:
    """Tell whether a path is a rosbag1: a file; a folder of such a name is a rosbag2."""
    return path.suffix == ROS1_SUFFIX and not path.is_dir()


def find_recordings(folder: Path) -> dict[str, list[Path]]:
    """Return the files of rosbag2 that lie in a folder, by a pattern of the recording's names.

    Files are of one recording if their names differ in the number alone that rosbag2 adds:
    `walk_0.mcap` and `walk_1.mcap` are `walk_*.mcap`.
    """
    found: dict[str, list[Path]] = {}
    for file in _storage_files(folder):
        found.setdefault(_PART.sub("_*", file.stem) + file.suffix, []).append(file)
    return found


def check_one_recording(folder: Path) -> None:
    """Refuse a folder in which files of several recordings lie.

    Raises:
        SourceError: there are several.
    """
    names = list(find_recordings(folder))
    if len(names) > 1:
        raise SourceError(
            f"{folder} must hold one recording unless it has a {METADATA}, got {len(names)}, "
            f"{names[0]} and {names[1]} among them; choose a file, or give each recording a folder"
        )


def refuse_compressed(folder: Path, reason: str = _NO_METADATA) -> None:
    """Refuse a folder without metadata, for a reason, where files compressed as a whole lie.

    Those that lie there decompressed, too, do no harm.

    Raises:
        SourceError: there are such files.
    """
    files = _storage_files(folder, _COMPRESSED)
    files = [file for file in files if not file.with_suffix("").exists()]
    if files:
        raise SourceError(
            f"{folder} must have a {METADATA} that says how {files[0].name} is compressed, got "
            f"none that can be used ({reason}); run `ros2 bag reindex` or decompress such files "
            "with zstd"
        )


def open_bag_files(path: Path) -> list[BagFile]:
    """Open a bag's files, the earliest first.

    Args:
        path: folder of a rosbag2 with or without metadata.yaml, one file of it, or a rosbag1.

    Raises:
        SourceError: there is no bag that can be read.
    """
    if not path.exists():
        raise SourceError(f"the bag must be a file or a folder, got {path}; check the path")
    if path.is_file():
        if path.suffix not in (ROS1_SUFFIX, *ROS2_SUFFIXES):
            raise SourceError(
                f"a bag must be a folder or end on {ROS1_SUFFIX}, {' or '.join(ROS2_SUFFIXES)}, "
                f"got {path}; rename it or choose another"
            )
        return [_open_file(path)]
    if (path / METADATA).is_file():
        try:
            return [WholeBag(path)]
        except Exception as error:  # rosbags raises what the broken bytes lead to
            return _open_parts(path, f"{METADATA} does not help: {brief(error)}")
    check_one_recording(path)
    return _open_parts(path, _NO_METADATA)


class WholeBag:
    """A recording that rosbags reads."""

    damage: str | None = None

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            Exception: of any kind: it is damaged.
        """
        self.path = path
        self._reader: Any = Reader1(path) if is_rosbag1(path) else Reader2(path)
        self._stack = ExitStack()
        self._stack.enter_context(self._reader)
        counts: dict[tuple[str, str], int] = {}
        self.definitions: dict[str, Definition] = {}
        for connection in self._reader.connections:
            key = (connection.topic, connection.msgtype)
            counts[key] = counts.get(key, 0) + connection.msgcount
            if connection.msgdef.format != MessageDefinitionFormat.NONE:
                is_idl = connection.msgdef.format == MessageDefinitionFormat.IDL
                self.definitions[connection.msgtype] = Definition(connection.msgdef.data, is_idl)
        self.topics = {
            name: Topic(name, kind, count) for (name, kind), count in sorted(counts.items())
        }
        some = self._reader.message_count > 0
        self.start_ns = int(self._reader.start_time) if some else 0
        self.end_ns = int(self._reader.end_time) - 1 if some else 0

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Give messages in recording order; see `BagFile`."""
        wanted = [each for each in self._reader.connections if each.topic in topics]
        if not wanted:
            return
        given = 0
        try:
            for connection, time_ns, data in self._reader.messages(wanted, start_ns, end_ns):
                yield RawMessage(connection.topic, connection.msgtype, time_ns, data)
                given += 1
        except GeneratorExit:
            raise
        except Exception as error:  # rosbags raises what the broken bytes lead to
            raise SourceError(describe_damage(self.path, given, brief(error))) from error

    def close(self) -> None:
        """Close the file."""
        self._stack.close()


class CutBag:
    """A file without its end, read from its beginning as far as it goes."""

    def __init__(self, path: Path, reason: str) -> None:
        """Read it once to see what is there.

        Raises:
            SourceError: nothing can be read.
        """
        self.path = path
        self._scan = find_scan(path)
        self.definitions: dict[str, Definition] = {}
        counts: dict[tuple[str, str], int] = {}
        times: list[int] = []
        for raw in self._scan(path, self.definitions):
            key = (raw.topic, raw.type)
            counts[key] = counts.get(key, 0) + 1
            times = [min([*times[:1], raw.time_ns]), max([*times[1:], raw.time_ns])]
        if not counts:
            raise SourceError(
                f"{path} must be a bag, got one from which nothing can be read ({reason}); record "
                "it again"
            )
        self.topics = {
            name: Topic(name, kind, count) for (name, kind), count in sorted(counts.items())
        }
        self.start_ns, self.end_ns = times
        self.damage: str | None = describe_damage(path, sum(counts.values()), reason)

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Give messages in the order of the file; see `BagFile`."""
        for raw in self._scan(self.path, self.definitions):
            early = start_ns is not None and raw.time_ns < start_ns
            late = end_ns is not None and raw.time_ns >= end_ns
            if raw.topic in topics and not early and not late:
                yield raw
        raise SourceError(self.damage)

    def close(self) -> None:
        """Nothing is held open."""


def describe_damage(path: Path, count: int, reason: str) -> str:
    """Say that a file breaks off."""
    return (
        f"{path} must be a whole bag, got one that breaks off after {count} messages ({reason}); "
        "what was read so far is kept"
    )


def brief(error: Exception) -> str:
    """Return an error in one line, without the full stop."""
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__


def _storage_files(folder: Path, suffix: str = "") -> list[Path]:
    return sorted(file for ending in ROS2_SUFFIXES for file in folder.glob(f"*{ending}{suffix}"))


def _open_parts(folder: Path, reason: str) -> list[BagFile]:
    refuse_compressed(folder, reason)
    files = _storage_files(folder)
    if not files:
        raise SourceError(
            f"{folder} must hold a bag's files ({', '.join(ROS2_SUFFIXES)}), got none ({reason}); "
            "check the path"
        )
    return sorted(map(_open_file, files), key=lambda file: file.start_ns)


def _open_file(path: Path) -> BagFile:
    try:
        return WholeBag(path)
    except Exception as error:  # rosbags raises what the broken bytes lead to
        return CutBag(path, brief(error))
