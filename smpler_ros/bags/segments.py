"""A rosbag2 that grows file by file and is valid after each file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml

from smpler_model.atomic_files import put_in_place, write_text_atomically
from smpler_model.cameras.messages import Message
from smpler_ros.bags.bag_writer import BagWriter, shared_types
from smpler_ros.messages.message_types import MessageTypes

METADATA = "metadata.yaml"

_INFORMATION = "rosbag2_bagfile_information"


class SegmentedBag:
    """A rosbag2 of mcap files. Messages since the last `commit` are in no file yet.

    Attributes:
        folder: folder of the bag.
        information: content of metadata.yaml; empty before the first commit.
    """

    def __init__(
        self, folder: Path, information: Mapping[str, Any] | None = None, *, compress: bool = True
    ) -> None:
        """Start a bag, or continue one.

        Args:
            folder: folder of the bag.
            information: metadata at a commit, to which the bag is rolled back. None for a new bag.
            compress: whether files are compressed with zstd.
        """
        self.folder = folder
        self.information: dict[str, Any] = dict(information or {})
        self._compress = compress
        # Next to the bag, not in it: an unfinished file is not part of the bag yet.
        self._part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(self._part, ignore_errors=True)
        if folder.exists():
            self._roll_back()
        self._stack = ExitStack()  # closes the writer once, also where that fails
        self._writer = self._open()

    @property
    def types(self) -> MessageTypes:
        """Constructors of messages for `write`."""
        return shared_types().types

    def write(
        self, topic: str, kind: str, stamp_ns: int, message: Message, *, latched: bool = False
    ) -> None:
        """Write a message; see `BagWriter.write`."""
        self._writer.write(topic, kind, stamp_ns, message, latched=latched)

    def commit(self) -> None:
        """Add the written messages to the bag as its next file."""
        if not self._writer.count:
            return
        self._stack.close()
        part = self._part / f"{self._part.name}.mcap"
        name = f"{self.folder.name}_{len(self.information.get('files', ()))}.mcap"
        added = yaml.safe_load((self._part / METADATA).read_text())[_INFORMATION]
        added["relative_file_paths"] = [name]
        added["files"][0]["path"] = name
        self.folder.mkdir(parents=True, exist_ok=True)
        put_in_place(part, self.folder / name)
        self.information = _join(self.information, added) if self.information else added
        self._write_metadata()
        shutil.rmtree(self._part)
        self._writer = self._open()

    def close(self) -> None:
        """Discard the messages that were not committed."""
        try:
            self._stack.close()
        finally:
            shutil.rmtree(self._part, ignore_errors=True)

    def _open(self) -> BagWriter:
        writer = BagWriter(self._part, compress=self._compress)
        return self._stack.enter_context(writer)

    def _roll_back(self) -> None:
        """Remove files that `information` does not list, left by a killed run."""
        kept = set(self.information.get("relative_file_paths", ()))
        if kept:
            self._write_metadata()
        else:
            (self.folder / METADATA).unlink(missing_ok=True)
        for file in self.folder.glob("*.mcap"):
            if file.name not in kept:
                file.unlink()

    def _write_metadata(self) -> None:
        text = yaml.safe_dump({_INFORMATION: self.information}, sort_keys=False)
        write_text_atomically(self.folder / METADATA, text)


def _join(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of two parts of a bag."""
    joined = dict(first)
    begins = [each["starting_time"]["nanoseconds_since_epoch"] for each in (first, second)]
    ends = [
        begin + each["duration"]["nanoseconds"]
        for begin, each in zip(begins, (first, second), strict=True)
    ]
    joined["starting_time"] = {"nanoseconds_since_epoch": min(begins)}
    joined["duration"] = {"nanoseconds": max(ends) - min(begins)}
    for name in ("relative_file_paths", "files"):
        joined[name] = first[name] + second[name]
    joined["message_count"] = first["message_count"] + second["message_count"]
    counts: dict[str, int] = {}
    topics: dict[str, Any] = {}
    for entry in first["topics_with_message_count"] + second["topics_with_message_count"]:
        name = entry["topic_metadata"]["name"]
        topics.setdefault(name, entry["topic_metadata"])
        counts[name] = counts.get(name, 0) + entry["message_count"]
    joined["topics_with_message_count"] = [
        {"topic_metadata": metadata, "message_count": counts[name]}
        for name, metadata in topics.items()
    ]
    return joined
