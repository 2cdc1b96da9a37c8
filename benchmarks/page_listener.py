"""A client of a page, which counts what a browser would be sent."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import zstandard
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

_EYE = {
    **{"wxyz": (1.0, 0, 0, 0), "position": (0.0, 0, 0), "fov": 1.0, "near": 0.01, "far": 100.0},
    **{"image_height": 480, "image_width": 640, "look_at": (0.0, 0, 1)},
    "up_direction": (0.0, 0, 1),
}


@dataclass(frozen=True)
class Sent:
    """Bytes that a page was sent.

    Attributes:
        meshes: of people's surfaces.
        images: of the camera's images.
        people: of everything else: bones, labels, trails.
    """

    meshes: int
    images: int
    people: int


class Listener:
    """Connects as viser's page does, and keeps what comes."""

    def __init__(self, address: str) -> None:
        """Connect to a page by its address."""
        from viser import __version__

        self._contents: list[bytes] = []
        protocols: Any = [f"viser-v{__version__}"]
        self._socket: ClientConnection = connect(
            address.replace("http", "ws"),
            subprotocols=protocols,
            max_size=None,
            compression=None,
        )
        self._socket.send(msgspec.msgpack.encode({"type": "ViewerCameraMessage", **_EYE}))
        threading.Thread(target=self._keep, daemon=True).start()

    def __len__(self) -> int:
        """Return how many windows of messages have come."""
        return len(self._contents)

    def sent_since(self, index: int) -> Sent:
        """Return what was sent in and after a window, by its number."""
        return sort_bytes(self._contents[index:])

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()

    def _keep(self) -> None:
        try:
            for content in self._socket:
                if isinstance(content, bytes):
                    self._contents.append(content)
        except ConnectionClosed:
            return


def sort_bytes(contents: Iterable[bytes]) -> Sent:
    """Return the bytes in viser's windows by kind.

    A window has a head of 16 bytes, compressed messages, and the arrays that these refer to. Bytes
    of meshes and images are those of their arrays and JPEG files; all others are people's.
    """
    meshes = images = whole = 0
    for content in contents:
        whole += len(content)
        packed = int.from_bytes(content[8:16], "little")
        body = zstandard.ZstdDecompressor().decompress(content[16 : 16 + packed])
        window = msgspec.msgpack.decode(body)
        lengths = window["binaryBufferLengths"]
        for message in window["messages"]:
            if message["type"] == "SkinnedMeshMessage":
                meshes += _size(message, lengths)
            elif message.get("name", "").endswith("/view"):
                images += _size(message, lengths)
    return Sent(meshes, images, whole - meshes - images)


def _size(value: object, lengths: Sequence[int]) -> int:
    """Return the bytes of the arrays and files in a message."""
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        if "__binary_index" in value:
            return lengths[value["__binary_index"]]
        return sum(_size(each, lengths) for each in value.values())
    if isinstance(value, list):
        return sum(_size(each, lengths) for each in value)
    return 0
