"""A client of a page that receives what a browser would."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import zstandard
from viser import __version__
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


class Watcher:
    """Connects as viser's page does, and keeps the scene that it receives.

    Attributes:
        nodes: properties of the scene's nodes by name.
        bones: quaternion and position of each bone of the skinned meshes, by name and index.
        places: orientation and position of nodes by name.
        shown: visibility of nodes by name.
        views: positions to which the page was moved, besides the initial one.
        counts: number of messages by type.
        bytes: number of bytes received.
    """

    def __init__(self, address: str) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.bones: dict[str, dict[int, dict[str, Any]]] = {}
        self.places: dict[str, dict[str, Any]] = {}
        self.shown: dict[str, bool] = {}
        self.views: list[Any] = []
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self._socket = connect(
            address.replace("http", "ws"),
            subprotocols=[f"viser-v{__version__}"],
            max_size=None,
            compression=None,
        )
        self._socket.send(
            msgspec.msgpack.encode(
                {
                    "type": "ViewerCameraMessage",
                    **{"wxyz": (1.0, 0, 0, 0), "position": (0.0, 0, 0), "fov": 1.0},
                    **{"near": 0.01, "far": 100.0, "image_height": 480, "image_width": 640},
                    **{"look_at": (0.0, 0, 1), "up_direction": (0.0, 0, 1)},
                }
            )
        )

    def wait(self, until: Callable[[], bool], timeout_s: float = 20.0) -> None:
        """Receive messages until a condition holds."""
        deadline = time.monotonic() + timeout_s
        while not until():
            assert time.monotonic() < deadline, self.counts
            self.take(0.2)

    def take(self, seconds: float) -> None:
        """Receive messages for some time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                content = self._socket.recv(timeout=left)
            except (TimeoutError, ConnectionClosed):
                return
            assert isinstance(content, bytes)
            self.bytes += len(content)
            for message in _unpack(content):
                self._apply(message)

    def close(self) -> None:
        self._socket.close()

    def surface(self, name: str) -> np.ndarray:
        """Return the (v, 3) vertices of a skinned mesh as a browser draws them."""
        props = self.nodes[name]
        vertices = props["vertices"].reshape(-1, 3).astype(np.float64)
        bones = [self.bones[name][index] for index in range(len(self.bones[name]))]
        turns = np.array([_matrix(bone["wxyz"]) for bone in bones])
        places = np.array([bone["position"] for bone in bones])
        moved = np.einsum("kij,vj->vki", turns, vertices) + places
        indices = props["skin_indices"].reshape(-1, 4)
        weights = props["skin_weights"].reshape(-1, 4)
        chosen = np.take_along_axis(moved, indices[..., None].astype(int), axis=1)
        return (chosen * weights[..., None]).sum(1)

    def surfaces(self) -> list[str]:
        """Return the names of the skinned meshes."""
        return sorted(name for name, props in self.nodes.items() if "skin_weights" in props)

    def _apply(self, message: dict[str, Any]) -> None:
        kind, name = message["type"], message.get("name", "")
        self.counts[kind] += 1
        if kind == "RemoveSceneNodeMessage":
            self.nodes.pop(name, None)
            self.bones.pop(name, None)
        elif kind.startswith("SetBone"):
            field = "wxyz" if "Orientation" in kind else "position"
            self.bones[name][message["bone_index"]][field] = message[field]
        elif kind == "SceneNodeUpdateMessage":
            self.nodes[name] |= message["updates"]
        elif kind in ("SetOrientationMessage", "SetPositionMessage"):
            field = "wxyz" if "Orientation" in kind else "position"
            self.places.setdefault(name, {})[field] = message[field]
        elif kind == "SetCameraPositionMessage" and not message["initial"]:
            self.views.append(message["position"])
        elif kind == "SetSceneNodeVisibilityMessage":
            self.shown[name] = message["visible"]
        elif "props" in message and name:
            props = message["props"]
            self.nodes[name] = props
            if "skin_weights" in props:
                turns = props["bone_wxyzs"].reshape(-1, 4)
                places = props["bone_positions"].reshape(-1, 3)
                self.bones[name] = {
                    index: {"wxyz": turn, "position": place}
                    for index, (turn, place) in enumerate(zip(turns, places, strict=True))
                }


def _unpack(content: bytes) -> list[dict[str, Any]]:
    packed = int.from_bytes(content[8:16], "little")
    body = zstandard.ZstdDecompressor().decompress(content[16 : 16 + packed])
    inner = msgspec.msgpack.decode(body)
    buffers, at = [], 16 + packed
    for length in inner["binaryBufferLengths"]:
        at += -at % 8
        buffers.append(content[at : at + length])
        at += length
    return [_fill(message, buffers) for message in inner["messages"]]


def _fill(value: Any, buffers: list[bytes]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        if "__binary_index" in value:
            content = buffers[value["__binary_index"]]
            return np.frombuffer(content, np.dtype(value["dtype"]))
        return {key: _fill(each, buffers) for key, each in value.items()}
    return [_fill(each, buffers) for each in value] if isinstance(value, list) else value


def _matrix(wxyz: Any) -> np.ndarray:  # noqa: ANN401
    w, x, y, z = wxyz
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
