"""Bags written message by message: rosbag2 (mcap, sqlite3) and rosbag1, through `rosbags`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

from rosbags.convert.converter import migrate_message
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore

from smpler_model.cameras.messages import Message
from smpler_ros.messages.bag_types import message_types_from_rosbags, register_smpler_msgs
from smpler_ros.messages.message_types import MESSAGE_NAMES, MessageTypes

BagFormat = Literal["mcap", "sqlite3", "rosbag1"]
BAG_FORMATS: tuple[BagFormat, ...] = ("mcap", "sqlite3", "rosbag1")

_VERSION: Literal[8] = 8  # of rosbag2's metadata; distributions from Iron on read it
_URI_MARKS = frozenset("?#%")  # `rosbags` puts the path into a URI without escaping it
_ENDLESS = QosTime(2147483647, 4294967295)


class WriterTypes:
    """Message types for ROS 2 bags; creating them takes longer than writing many messages.

    Attributes:
        store: typestore of `rosbags`.
        types: constructors of messages.
    """

    def __init__(self) -> None:
        self.store = get_typestore(Stores.ROS2_JAZZY)
        register_smpler_msgs(self.store)
        self.types: MessageTypes = message_types_from_rosbags(self.store)
        self._definitions: dict[str, tuple[str, str]] = {}

    def definition(self, kind: str) -> tuple[str, str]:
        """Return the definition of a message type and its hash."""
        if kind not in self._definitions:
            text, _ = self.store.generate_msgdef(kind, ros_version=2)
            self._definitions[kind] = (text, self.store.hash_rihs01(kind))
        return self._definitions[kind]


@cache
def shared_types() -> WriterTypes:
    """Return the message types that all writers of this process share."""
    return WriterTypes()


class BagWriter:
    """Writes a bag; a context manager. Topics are created with their first message.

    Attributes:
        path: path of the bag's folder, or of its file for rosbag1.
        types: constructors of messages for `write`.
        count: messages written so far.
    """

    def __init__(
        self,
        path: Path,
        kind: BagFormat = "mcap",
        *,
        compress: bool = False,
    ) -> None:
        """Create the writer; the bag is created on entering the context.

        Args:
            path: path of the bag, which must not exist yet.
            kind: storage format.
            compress: whether mcap's chunks are compressed with zstd.

        Raises:
            FileExistsError: the path exists.
            ValueError: the storage would misinterpret the path.
        """
        if path.exists():
            raise FileExistsError(
                f"the bag must be new, got {path}, which exists; remove it or choose another name"
            )
        if kind == "sqlite3" and set(str(path)) & _URI_MARKS:
            raise ValueError(
                f"the path of a sqlite3 bag must have no ?, # or %, got {path}; choose another "
                "name, or mcap"
            )
        self.path, self.count = path, 0
        self._known = shared_types()
        self._store, self.types = self._known.store, self._known.types
        self._ros1: Typestore | None = None
        self._cache: dict[str, object] = {}
        self._connections: dict[str, Connection] = {}
        self._writer: Any
        if kind == "rosbag1":
            self._ros1 = get_typestore(Stores.ROS1_NOETIC)
            register_smpler_msgs(self._ros1)
            transforms = MESSAGE_NAMES["tf_message"]  # missing among ROS 1's messages in rosbags
            self._ros1.register({transforms: self._store.fielddefs[transforms]})
            self._writer = Writer1(path)
            return
        plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
        self._writer = Writer2(path, version=_VERSION, storage_plugin=plugin)
        if compress and kind == "mcap":
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)

    def __enter__(self) -> BagWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._faults_named():
            self._writer.open()
        return self

    def __exit__(self, *error: object) -> None:
        # A bag whose writing an error interrupts is complete up to that point.
        try:
            with self._faults_named():
                self._writer.close()
        except OSError:
            self._release()
            raise

    def write(
        self, topic: str, kind: str, stamp_ns: int, message: Message, *, latched: bool = False
    ) -> None:
        """Write a message.

        Args:
            topic: name of the topic.
            kind: message type, such as `sensor_msgs/msg/Image`.
            stamp_ns: when it was recorded, nanoseconds.
            message: a message built with `types`, or its CDR bytes (rosbag2 only).
            latched: whether late subscribers get it as well; the topic's first message decides.

        Raises:
            OSError: it cannot be written, for instance because the disk is full.
        """
        with self._faults_named():
            if topic not in self._connections:
                self._connections[topic] = self._add(topic, kind, latched=latched)
            content = self._serialize(kind, message)
            self._writer.write(self._connections[topic], stamp_ns, content)
        self.count += 1

    def _release(self) -> None:
        """Close the file that `rosbags`' writers leave open if they cannot finish it."""
        for owner in (self._writer, getattr(self._writer, "storage", None)):
            for name in ("bio", "conn"):
                file = getattr(owner, name, None)
                with suppress(OSError, sqlite3.Error):  # already reported
                    if file is not None:
                        file.close()

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        """Add the bag's path to the error when it cannot be written."""
        try:
            yield
        except sqlite3.Error as error:
            raise OSError(f"{self.path} cannot be written: {error}") from error
        except OSError as error:
            if error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _serialize(self, kind: str, message: Message) -> bytes:
        if isinstance(message, bytes):
            return message
        if self._ros1 is None:
            return bytes(self._store.serialize_cdr(message, kind))
        old = migrate_message(self._store, self._ros1, kind, kind, self._cache, message)
        return bytes(self._ros1.serialize_ros1(old, kind))

    def _add(self, topic: str, kind: str, *, latched: bool) -> Connection:
        added: Connection
        if self._ros1 is not None:
            added = self._writer.add_connection(
                topic, kind, typestore=self._ros1, latching=int(latched)
            )
        else:
            text, digest = self._known.definition(kind)
            qos = [_qos(latched=latched)]
            added = self._writer.add_connection(
                topic, kind, msgdef=text, rihs01=digest, offered_qos_profiles=qos
            )
        return added


def _qos(*, latched: bool) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        1 if latched else 10,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        _ENDLESS,
        _ENDLESS,
        QosLiveliness.AUTOMATIC,
        _ENDLESS,
        avoid_ros_namespace_conventions=False,
    )
