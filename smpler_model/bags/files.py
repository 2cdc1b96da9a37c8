"""Finds and opens the files of a bag: rosbag2 (sqlite3, mcap) and rosbag1, intact or not.

Files may be compressed. `rosbags` decodes messages, but its file readers are not used: they reject
unknown profiles, encodings and QoS settings, trust metadata.yaml more than the files, overlook
SQLite's write-ahead log, and decompress chunks of any size.
"""

import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

import yaml

from smpler_model.bags.chunks import ChunkedFile
from smpler_model.bags.mcap import MAGIC as MCAP_MAGIC
from smpler_model.bags.mcap import Mcap
from smpler_model.bags.rosbag1 import MAGIC as ROSBAG1_MAGIC
from smpler_model.bags.rosbag1 import Rosbag1
from smpler_model.bags.sqlite import MAGIC as SQLITE_MAGIC
from smpler_model.bags.sqlite import SqliteFile
from smpler_model.bags.storage import BagFile, Definitions, RawMessage, Topic, brief
from smpler_model.bags.unpacking import DamageError, unpack_file
from smpler_model.source import SourceError

ROS1_SUFFIXES = (".bag", ".bag.active")
ROS2_SUFFIXES = (".mcap", ".db3")
ALL_SUFFIXES = (*ROS1_SUFFIXES, *ROS2_SUFFIXES)
METADATA = "metadata.yaml"

_COMPRESSED = (".zstd", ".zst")
_PART = re.compile(r"_(0|[1-9]\d*)$")  # suffix that rosbag2 adds to the names of a bag's files
_MAX_METADATA = 16 * 1024**2


def is_bag(path: Path) -> bool:
    """Return whether a path is a bag, judged by names alone."""
    if path.is_dir():
        return (path / METADATA).is_file() or len(find_recordings(path)) == 1
    return bool(_suffix(path, ALL_SUFFIXES))


def find_recordings(folder: Path) -> dict[str, list[Path]]:
    """Return the rosbag2 files in a folder, by a pattern of each recording's file names.

    Files belong to one recording if their names differ only in the number that rosbag2 adds:
    `walk_0.mcap` and `walk_1.mcap.zstd` are `walk_*.mcap`. If a file exists compressed and
    uncompressed, the latter is used.
    """
    found: dict[str, list[Path]] = {}
    for file in find_bag_files(folder, ROS2_SUFFIXES):
        found.setdefault(_pattern(file), []).append(file)
    return found


def find_bag_files(folder: Path, suffixes: Sequence[str] = ALL_SUFFIXES) -> list[Path]:
    """Return a folder's files with these suffixes, the uncompressed of two copies."""
    files = [file for file in sorted(folder.iterdir()) if _suffix(file, suffixes)]
    names = {file.name for file in files}
    return [
        file
        for file in files
        if file.is_file() and (file.name == _bare(file.name) or _bare(file.name) not in names)
    ]


def check_one_recording(folder: Path) -> None:
    """Refuse a folder with files of several recordings.

    Raises:
        SourceError: there are several.
    """
    names = list(find_recordings(folder))
    if len(names) > 1:
        raise SourceError(
            f"{folder} must hold one recording unless it has a readable {METADATA}, got "
            f"{len(names)}, {names[0]} and {names[1]} among them; choose a file, or move each "
            "recording into its own folder"
        )


def open_bag_files(path: Path, stack: ExitStack) -> list[BagFile]:
    """Open a bag's files, the earliest first.

    Args:
        path: folder of a rosbag2 with or without metadata.yaml, one file of it, or a rosbag1.
        stack: closes the files and removes uncompressed copies.

    Raises:
        SourceError: there is no readable bag.
    """
    if not path.exists():
        raise SourceError(
            f"the bag must be a file or a folder, got {path}; give the path of an existing one"
        )
    if path.is_file():
        if not is_bag(path):
            raise SourceError(
                f"a bag must be a folder or end in {ROS1_SUFFIXES[0]}, "
                f"{' or '.join(ROS2_SUFFIXES)}, got {path}; give a bag, or rename it if it is one"
            )
        return [_open_file(path, stack)]
    parts, missing = _find_parts(path)
    files: list[BagFile] = [
        LostFile(_describe_loss(path / name, "it is missing")) for name in missing
    ]
    errors: list[SourceError] = []
    for part in parts:
        try:
            files.append(_open_file(part, stack))
        except SourceError as error:  # the other files may be intact
            files.append(LostFile(str(error)))
            errors.append(error)
    if errors and len(errors) == len(parts):
        raise errors[0]
    return sorted(files, key=lambda file: file.start_ns)


class LostFile:
    """A part of a recording that cannot be read at all; see `storage.BagFile`."""

    start_ns = end_ns = 0

    def __init__(self, damage: str) -> None:
        self.damage: str | None = damage
        self.topics: Mapping[str, Topic] = {}
        self.definitions: Definitions = {}
        self.foreign: Mapping[str, str] = {}

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, end_ns: int | None = None
    ) -> Iterator[RawMessage]:
        """Raise the error without yielding messages."""
        del topics, start_ns, end_ns
        raise SourceError(self.damage)
        yield

    def close(self) -> None:
        """Do nothing, as nothing is open."""


def _open_file(path: Path, stack: ExitStack) -> BagFile:
    """Open a file according to its first bytes.

    Raises:
        SourceError: nothing can be read.
    """
    try:
        unpacked, reason = path, ""
        if _suffix(path, _COMPRESSED):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="smpler_bag_"))
            unpacked, reason = unpack_file(path, Path(folder))
        file = _open_unpacked(path, unpacked)
    except DamageError as error:
        raise SourceError(_describe_loss(path, reason or str(error))) from error
    except OSError as error:
        raise SourceError(
            f"{path} must be a readable file, with space for a copy in "
            f"{tempfile.gettempdir()} if it is compressed or was never closed, got an error "
            f"({brief(error)}); free space there, or set TMPDIR to another folder"
        ) from error
    stack.callback(file.close)
    return file


def _open_unpacked(path: Path, unpacked: Path) -> BagFile:
    with unpacked.open("rb") as file:
        start = file.read(16)
    if start.startswith(MCAP_MAGIC):
        return ChunkedFile(unpacked, Mcap(), shown=path)
    if start.startswith(ROSBAG1_MAGIC):
        return ChunkedFile(unpacked, Rosbag1(), shown=path)
    if start == SQLITE_MAGIC:
        return SqliteFile(unpacked, shown=path)
    raise DamageError("it is empty" if not start else "its first bytes are not those of a bag")


def _describe_loss(path: Path, reason: str) -> str:
    return f"{path} must be a bag, got one that cannot be read ({reason}); record it again"


def _find_parts(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the files of a recording, and the names of the missing ones.

    Files that metadata.yaml does not list are included if their names match those that it lists: a
    recorder that is killed does not list its last files.

    Raises:
        SourceError: there are none, or those of several recordings.
    """
    there, named = find_bag_files(folder, ROS2_SUFFIXES), _named_files(folder)
    found = [file for name in named if (file := _find(folder, name)) is not None]
    if not found:
        check_one_recording(folder)
    patterns = {_pattern(file) for file in found}
    files = [*found, *(file for file in there if not found or _pattern(file) in patterns)]
    files = list(dict.fromkeys(files))
    if not files:
        raise SourceError(
            f"{folder} must hold a bag's files ({', '.join(ROS2_SUFFIXES)}), got none; give the "
            "folder that `ros2 bag record` wrote"
        )
    missing = [name for name in named if _find(folder, name) is None]
    return files, missing if len(files) < len(named) else []  # as many: they were renamed


def _named_files(folder: Path) -> list[str]:
    """Return the file names in metadata.yaml, none if it is missing or damaged."""
    path = folder / METADATA
    if not path.is_file() or path.stat().st_size > _MAX_METADATA:
        return []
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        about = yaml.load(path.read_bytes(), Loader=loader)["rosbag2_bagfile_information"]
        return [PurePosixPath(str(name)).name for name in about["relative_file_paths"]]
    except (yaml.YAMLError, LookupError, TypeError, ValueError, RecursionError, OSError):
        return []  # the files themselves suffice


def _find(folder: Path, name: str) -> Path | None:
    """Return a file that metadata.yaml lists, compressed or not."""
    bare = _bare(name)
    names = (name, bare, *(bare + suffix for suffix in _COMPRESSED))
    return next((folder / each for each in names if each and (folder / each).is_file()), None)


def _pattern(file: Path) -> str:
    name = PurePosixPath(_bare(file.name))
    return _PART.sub("_*", name.stem) + name.suffix


def _bare(name: str) -> str:
    """Return a name without the suffix of a compression."""
    return next((name.removesuffix(each) for each in _COMPRESSED if name.endswith(each)), name)


def _suffix(path: Path, suffixes: Sequence[str]) -> str:
    """Return the suffix of a file, compressed or not; empty if it is none of these."""
    name = path.name.lower() if suffixes is _COMPRESSED else _bare(path.name.lower())
    return next((suffix for suffix in suffixes if name.endswith(suffix)), "")
